import assert from "node:assert/strict";
import { readConfig } from "../../lib/config/read.ts";
import {
  assertFaults,
  MINIMAL,
  withBackends,
  withListenerLine,
  withPoolLine,
  withRootLine,
} from "./faults.ts";

const DURATIONS: [string, (line: string) => string, string][] = [
  ["idle_timeout", withListenerLine, "4:19 listeners[0].idle_timeout"],
  ["half_close_timeout", withListenerLine, "4:25 listeners[0].half_close_timeout"],
  ["handshake_timeout", withListenerLine, "4:24 listeners[0].handshake_timeout"],
  ["max_session_duration", withListenerLine, "4:27 listeners[0].max_session_duration"],
  ["dial_timeout", withPoolLine, "8:19 pools.web.dial_timeout"],
  ["slow_start", withPoolLine, "8:17 pools.web.slow_start"],
  ["queue", (line) => withPoolLine(withinMap(line, "timeout")), "8:23 pools.web.queue.timeout"],
  [
    "health_check",
    (line) => withPoolLine(withinMap(line, "interval")),
    "8:31 pools.web.health_check.interval",
  ],
  ["health_check", (line) => withPoolLine(withinMap(line, "timeout")), "8:30 pools.web.health_check.timeout"],
  [
    "outlier_detection",
    (line) => withPoolLine(withinMap(line, "ejection_time")),
    "8:41 pools.web.outlier_detection.ejection_time",
  ],
  ["shutdown_timeout", withRootLine, "8:19 shutdown_timeout"],
];

/** `queue: 5` becomes `queue: { timeout: 5 }`. */
function withinMap(line: string, key: string): string {
  const [map, value] = line.split(/: (.*)/s);
  return `${map}: { ${key}: ${value} }`;
}

Deno.test("a duration that is none is refused with what to write, for every key", () => {
  const values: [string, string][] = [
    ["5", "5 is not a duration; add the unit, as 5s or 5ms"],
    ["0", "0 is not a duration; add the unit, as 0s or 0ms"],
    ["'30'", `"30" is not a duration; add the unit, as 30s or 30ms`],
    ["99999999999999999999", "add the unit"],
    ["-5", "-5 is not a duration; it cannot be negative; write 0s or more"],
    ["-5s", `"-5s" is not a duration; it cannot be negative; write 0s or more`],
    ["597h", `"597h" is too long; a duration is at most 596h`],
    ["99999999999999999999s", "is too long; a duration is at most 596h"],
    ["1.5", "is not a duration; write it as 250ms, 30s, 1m30s or 2h"],
    ["5x", `"5x" is not a duration; write it as 250ms, 30s, 1m30s or 2h`],
    ["''", `"" is not a duration; write it as 250ms`],
    ["true", "true is not a duration; write it as 250ms"],
    ["[5s]", `["5s"] is not a duration; write it as 250ms`],
    ["{ s: 5 }", `{"s":5} is not a duration; write it as 250ms`],
    ["~", "empty; write it as 250ms, 30s, 1m30s or 2h"],
  ];
  for (const [key, where, place] of DURATIONS) {
    for (const [value, part] of values) assertFaults(where(`${key}: ${value}`), [place, part]);
  }
});

Deno.test("a number that is none or is out of bounds is refused with the bounds, for every key", () => {
  type NumberKey = [string, (line: string) => string, string, number, number];
  const keys: NumberKey[] = [
    ["max_connections", withListenerLine, "4:22 listeners[0].max_connections", 0, 1_000_000],
    ["backlog", withListenerLine, "4:14 listeners[0].backlog", 1, 65_535],
    ["retries", withPoolLine, "8:14 pools.web.retries", 0, 100],
    ...([
      ["queue", "size", "8:20", 0, 1_000_000],
      ["health_check", "rise", "8:27", 1, 100],
      ["health_check", "fall", "8:27", 1, 100],
      ["health_check", "port", "8:27", 1, 65_535],
      ["outlier_detection", "consecutive_failures", "8:48", 0, 1_000],
      ["outlier_detection", "max_ejected_percent", "8:47", 0, 100],
    ] as const).map(([map, key, place, min, max]): NumberKey => {
      const where = (line: string): string => withPoolLine(withinMap(line, key));
      return [map, where, `${place} pools.web.${map}.${key}`, min, max];
    }),
    ...([["weight", 33, 256], ["max_connections", 42, 1_000_000]] as const)
      .map(([key, column, max]): NumberKey => {
        const where = (line: string): string => withBackends(`{ address: a:1, ${line} }`);
        return [key, where, `7:${column} pools.web.backends[0].${key}`, 0, max];
      }),
  ];
  for (const [key, where, place, min, max] of keys) {
    const wanted = `is not a whole number; write ${min} to ${max}`;
    for (const value of [min - 1, -999]) {
      assertFaults(where(`${key}: ${value}`), [place, `${value} is too small; write ${min} to ${max}`]);
    }
    assertFaults(where(`${key}: ${max + 1}`), [place, `${max + 1} is too large; write ${min} to ${max}`]);
    assertFaults(where(`${key}: '5'`), [place, `"5" is text because of its quotes; write ${min} to ${max}`]);
    for (const value of ["1.5", "ten", "true", "[]", "99999999999999999999", "5s"]) {
      assertFaults(where(`${key}: ${value}`), [place, wanted]);
    }
    assertFaults(where(`${key}: ~`), [place, `empty; write ${min} to ${max}`]);
    for (const value of [min, max]) assertFaults(where(`${key}: ${value}`));
  }
});

Deno.test("an ejection cannot end at once", () => {
  assertFaults(withPoolLine("outlier_detection: { ejection_time: 0s }"), [
    "8:41 pools.web.outlier_detection.ejection_time",
    '"0s" is too short; write at least 1ms',
  ]);
});

Deno.test("workers is auto or a number", () => {
  for (const value of ["0", "257", "-1", "1.5", "four", "true", "[]"]) {
    assertFaults(withRootLine(`workers: ${value}`), [
      "8:10 workers",
      "is not a number of workers; write auto or 1 to 256",
    ]);
  }
  assertFaults(withRootLine("workers: ~"), ["8:10 workers", "empty; write auto or 1 to 256"]);
  for (const value of ["auto", "1", "256"]) assertFaults(withRootLine(`workers: ${value}`));
});

Deno.test("a word that is not one of the choices is refused with all of them", () => {
  assertFaults(withPoolLine("algorithm: fastest"), [
    "8:16 pools.web.algorithm",
    'unknown algorithm "fastest"; use round_robin, least_connections, random_two, random, first, maglev',
  ]);
  assertFaults(withPoolLine("algorithm: 1"), [
    "8:16 pools.web.algorithm",
    "unknown algorithm 1; use round_robin",
  ]);
  assertFaults(withPoolLine("algorithm: maglev\n    hash_key: cookie"), [
    "9:15 pools.web.hash_key",
    'unknown hash key "cookie"; use source_ip, source_address, sni',
  ]);
  assertFaults(withPoolLine("when_all_down: pray"), [
    "8:20 pools.web.when_all_down",
    'unknown answer "pray"; use refuse, ignore_health',
  ]);
  assertFaults(withPoolLine("on_backend_down: true"), [
    "8:22 pools.web.on_backend_down",
    "unknown answer true; use keep, close",
  ]);
  assertFaults(withPoolLine("health_check: { type: ping }"), [
    "8:27 pools.web.health_check.type",
    'unknown type "ping"; use tcp, http, expect, udp',
  ]);
  assertFaults(withRootLine("log: { level: loud }"), [
    "8:15 log.level",
    'unknown level "loud"; use debug, info, warn, error',
  ]);
  assertFaults(withRootLine("log: { format: [] }"), ["8:16 log.format", "unknown format []; use text, json"]);
  for (const value of ["yes", "1", "''"]) {
    assertFaults(withRootLine(`log: { sessions: ${value} }`), [
      "8:18 log.sessions",
      "is not true, false or served; write ",
    ]);
    assertFaults(withBackends(`{ address: a:1, backup: ${value} }`), [
      "7:33 pools.web.backends[0].backup",
      "is not true or false; write true",
    ]);
  }
});

Deno.test("a key without a value is called empty, where the key stands", () => {
  const keys: [string, (line: string) => string, string][] = [
    ["name", withListenerLine, "4:5 listeners[0].name"],
    ["max_connections", withListenerLine, "4:5 listeners[0].max_connections"],
    ["idle_timeout", withListenerLine, "4:5 listeners[0].idle_timeout"],
    ["dial_timeout", withPoolLine, "8:5 pools.web.dial_timeout"],
    ["queue", withPoolLine, "8:5 pools.web.queue"],
    ["health_check", withPoolLine, "8:5 pools.web.health_check"],
    ["outlier_detection", withPoolLine, "8:5 pools.web.outlier_detection"],
    ["when_all_down", withPoolLine, "8:5 pools.web.when_all_down"],
    ["log", withRootLine, "8:1 log"],
    ["workers", withRootLine, "8:1 workers"],
    ["shutdown_timeout", withRootLine, "8:1 shutdown_timeout"],
  ];
  for (const [key, where, place] of keys) assertFaults(where(`${key}:`), [place, "empty; "]);
  assertFaults("listeners:\npools:\n", ["1:1 listeners", "empty; list the listeners"], [
    "2:1 pools",
    "empty; write the pools by name",
  ]);
});

Deno.test("a choice without a value is called empty too: it is not missing", () => {
  assertFaults(withPoolLine("algorithm:"), ["8:5 pools.web.algorithm", "empty; use round_robin"]);
});

Deno.test("a name that would not stand well in logs and paths is refused", () => {
  const wanted = "is not a name; use letters, digits and . _ - : /";
  for (const value of ["''", "a b", "-x", "über", '"a\\nb"', "a?b", "x".repeat(129), "[]", "true", "1"]) {
    assertFaults(withListenerLine(`name: ${value}`), ["4:11 listeners[0].name", wanted]);
    assertFaults(withBackends(`{ address: a:1, name: ${value} }`), [
      "7:31 pools.web.backends[0].name",
      wanted,
    ]);
  }
  for (const value of ["x".repeat(128), "a.b_c-d:e/f", "'1'"]) {
    assertFaults(withListenerLine(`name: ${value}`));
  }
  assertFaults(MINIMAL.replace("  web:", "  'a b':").replace("pool: web", "pool: a b"), [
    "5:3 pools.a b",
    `"a b" ${wanted}`,
  ]);
});

Deno.test("an address that is none is refused with its own sentence", () => {
  const listen = (value: string): string => MINIMAL.replace("127.0.0.1:5678", value);
  assertFaults(listen("80"), ["2:13 listeners[0].listen", "80 is not an address; write :80, or host:port"]);
  assertFaults(listen("localhost"), ["2:13 listeners[0].listen", '"localhost" has no port']);
  assertFaults(listen("a:99999"), ["2:13 listeners[0].listen", "the port is a number from 0 to 65535"]);
  assertFaults(listen("udp:53"), ["2:13 listeners[0].listen", '"udp:53" is only a port']);
  assertFaults(listen("[]"), ["2:13 listeners[0].listen", "[] is not an address"]);
  for (const value of [":80", "a:0", "'[::1]:80'", "unix:web.sock", "udp::53"]) assertFaults(listen(value));

  const place = "7:9 pools.web.backends[0]";
  assertFaults(withBackends("8001"), [
    place,
    "8001 is not an address; write host:port, [v6]:port or unix:/path",
  ]);
  assertFaults(withBackends("127.0.0.1"), [place, "has no port"]);
  assertFaults(withBackends(":80"), [place, "names no host to dial; write 127.0.0.1:80"]);
  assertFaults(withBackends("a:0"), [place, "port 0 cannot be dialled"]);
  assertFaults(withBackends("true"), [place, "true is not an address"]);
  assertFaults(withBackends("[a:1]"), [place, `["a:1"] is not an address`]);
  assertFaults(withBackends("~"), [place, "empty; write host:port"]);
  assertFaults(withBackends(""), ["7:7 pools.web.backends[0]", "empty; write host:port"]);
  assertFaults(withBackends("{ address: 8001 }"), [
    "7:20 pools.web.backends[0].address",
    "8001 is not an address",
  ]);
  assertFaults(withBackends("{ address: 'a:0' }"), ["7:20 pools.web.backends[0].address", "port 0"]);
  assertFaults(withBackends("{}"), ["7:9 pools.web.backends[0].address", "missing; write host:port"]);
});

Deno.test("an empty item of a list is a fault on its own line", () => {
  assertFaults(withBackends("a:1", "", "b:1"), ["8:7 pools.web.backends[1]", "empty; write host:port"]);
});

Deno.test("a list or map that is missing, empty or something else is refused with how it begins", () => {
  const pools = (text: string): string => `listeners: [{ listen: ':1', pool: a }]\npools: ${text}\n`;
  assertFaults("pools: { a: { backends: [a:1] } }\n", ["1:1 listeners", "missing; list the listeners"]);
  assertFaults("listeners: [{ listen: ':1', pool: a }]\n", ["1:1 pools", "missing; write the pools by name"]);
  assertFaults(pools("7"), [
    "2:8 pools",
    "7 is not a map; write the pools by name, as web: { backends: [ … ] }",
  ]);
  assertFaults(pools("{}"), ["2:8 pools", "empty; write at least one pool"]);
  assertFaults(pools("{ a: }"), [
    "2:10 pools.a",
    "empty; a pool is a map of algorithm, hash_key, backends, …",
  ]);
  assertFaults(pools("{ a: 5 }"), ["2:13 pools.a", "5 is not a map; a pool is a map of"]);
  assertFaults(pools("{ a: {} }"), [
    "2:13 pools.a.backends",
    "missing; list the backends, as - 127.0.0.1:8001",
  ]);
  assertFaults(pools("{ a: { backends: } }"), ["2:15 pools.a.backends", "empty; list the backends"]);
  assertFaults(pools("{ a: { backends: [] } }"), [
    "2:25 pools.a.backends",
    "empty; list at least one backend",
  ]);
  assertFaults(pools("{ a: { backends: a:1 } }"), ["2:25 pools.a.backends", `"a:1" is not a list`]);
  const listeners = (text: string): string => `listeners: ${text}\npools: { a: { backends: [a:1] } }\n`;
  assertFaults(listeners("x"), ["1:12 listeners", '"x" is not a list; list the listeners']);
  assertFaults(listeners("[]"), ["1:12 listeners", "empty; list at least one listener"]);
  assertFaults(listeners("[x]"), [
    "1:13 listeners[0]",
    '"x" is not a map; a listener is a map of name, listen, pool',
  ]);
  assertFaults(
    listeners("[{}]"),
    ["1:13 listeners[0].listen", "missing; write host:port, [v6]:port, :port, unix:/path or udp:host:port"],
    ["1:13 listeners[0].pool", "missing; name one of the pools"],
  );
  assertFaults(listeners("[{ listen: ':1', pool: [] }]"), [
    "1:35 listeners[0].pool",
    "[] is not the name of a pool",
  ]);
  assertFaults(withPoolLine("within: 10.0.0.0/8:80"), [
    "8:13 pools.web.within",
    '"10.0.0.0/8:80" is not a list; list subnets, as - 10.0.0.0/8:8080',
  ]);
  assertFaults(withPoolLine("within: [10.0.0.1/8:80]"), [
    "8:14 pools.web.within[0]",
    '"10.0.0.1/8:80" does not begin at its first address; write 10.0.0.0/8:80',
  ]);
  assertFaults(withPoolLine("queue: 5"), [
    "8:12 pools.web.queue",
    "5 is not a map; write queue: { size: 1000, timeout: 5s }",
  ]);
  assertFaults(withPoolLine("health_check: tcp"), [
    "8:19 pools.web.health_check",
    '"tcp" is not a map; write health_check: { type: tcp }',
  ]);
  assertFaults(withPoolLine("outlier_detection: true"), [
    "8:24 pools.web.outlier_detection",
    "true is not a map; write outlier_detection: { consecutive_failures: 5 }",
  ]);
  assertFaults(withRootLine("log: 5"), [
    "8:6 log",
    "5 is not a map; write log: { level: info }",
  ]);
  assertFaults(withRootLine("admin: ':9901'"), [
    "8:8 admin",
    '":9901" is not a map; write admin: { listen: 127.0.0.1:9901 }',
  ]);
});

Deno.test("an unknown key names the nearest, or all there are when none is near", () => {
  const near: [string, string, string][] = [
    [withRootLine("listener: []"), "8:1 listener", "did you mean listeners?"],
    [withRootLine("pols: {}"), "8:1 pols", "did you mean pools?"],
    [withRootLine("workerz: 1"), "8:1 workerz", "did you mean workers?"],
    [withListenerLine("idel_timeout: 1s"), "4:5 listeners[0].idel_timeout", "did you mean idle_timeout?"],
    [
      withListenerLine("'maxconnections': 1"),
      "4:5 listeners[0].maxconnections",
      "did you mean max_connections?",
    ],
    [withPoolLine("backend: []"), "8:5 pools.web.backend", "did you mean backends?"],
    [withRootLine("log: { levels: info }"), "8:8 log.levels", "did you mean level?"],
    [
      withPoolLine("xyzzy: 1"),
      "8:5 pools.web.xyzzy",
      "use algorithm, hash_key, backends, discover, leave, leave_timeout, within, dial_timeout, retries, source, queue, send_proxy_protocol, tls, initial, health_check, outlier_detection, " +
      "slow_start, when_all_down, on_backend_down",
    ],
    [
      withBackends("{ address: a:1, color: 2 }"),
      "7:25 pools.web.backends[0].color",
      "use address, name, weight, max_connections, backup",
    ],
    [withPoolLine("queue: { sise: 1 }"), "8:14 pools.web.queue.sise", "did you mean size?"],
    [
      withPoolLine("health_check: { intervall: 1s }"),
      "8:21 pools.web.health_check.intervall",
      "did you mean interval?",
    ],
    [
      withPoolLine("outlier_detection: { ejection_tme: 1s }"),
      "8:26 pools.web.outlier_detection.ejection_tme",
      "did you mean ejection_time?",
    ],
  ];
  for (const [text, place, hint] of near) {
    const key = JSON.stringify(/[\w]+$/.exec(place)?.[0]);
    assertFaults(text, [place, `unknown key ${key}; ${hint}`]);
  }
  assertFaults(
    withBackends("{ adress: a:1 }"),
    ["7:9 pools.web.backends[0].address", "missing; "],
    ["7:11 pools.web.backends[0].adress", "did you mean address?"],
  );
});

Deno.test("a long value is cut in the message, which stays on one line", () => {
  assertFaults(withListenerLine(`max_connections: ${"9".repeat(500)}`), [
    "4:22 listeners[0].max_connections",
    "999… is not a whole number; write 0 to 1000000",
  ]);
});

Deno.test("keepalive has whole seconds, and what the system allows", () => {
  const faults: [string, string, string][] = [
    [
      "{ idle: 250ms }",
      "24 listeners[0].keepalive.idle",
      "250ms is no number of whole seconds; write whole ones, as 30s",
    ],
    ["{ idle: 10h }", "24 listeners[0].keepalive.idle", "10h is too long; write at most 9h"],
    ["{ interval: 0s }", "28 listeners[0].keepalive.interval", `"0s" is too short; write at least 1s`],
    ["{ count: 128 }", "25 listeners[0].keepalive.count", "128 is too large; write 1 to 127"],
    ["{ idel: 1s }", "18 listeners[0].keepalive.idel", `unknown key "idel"; did you mean idle?`],
    [
      "off",
      "16 listeners[0].keepalive",
      "is not a map; write keepalive: { idle: 60s }, or { idle: 0s } for none",
    ],
  ];
  for (const [value, place, part] of faults) {
    assertFaults(withListenerLine(`keepalive: ${value}`), [`4:${place}`, part]);
  }
});

Deno.test("a source is an IP address, without a port", () => {
  const faults: [string, string][] = [
    [
      "10.0.0.5:80",
      `"10.0.0.5:80" is not an IP address; write it as 10.0.0.5 or 2001:db8::5, without a port`,
    ],
    ["eth0", `"eth0" is not an IP address; write it as`],
    ["0.0.0.0", `"0.0.0.0" is no address in particular; write one of this machine`],
    ["'::'", `"::" is no address in particular`],
    ["'fe80::1'", `"fe80::1" is a link-local address`],
    ["224.0.0.1", `"224.0.0.1" is a multicast or reserved address; write one of this machine`],
    ["255.255.255.255", "is a multicast or reserved address"],
    ["'FF02::1'", "is a multicast or reserved address"],
    ["'fe80::1%eth0'", "is not an IP address"],
    ["7", "7 is not an IP address; write it as 10.0.0.5 or 2001:db8::5"],
  ];
  for (const [value, part] of faults) {
    assertFaults(withPoolLine(`source: [${value}]`), ["8:14 pools.web.source[0]", part]);
  }
  assertFaults(withPoolLine("source: 10.0.0.5"), [
    "8:13 pools.web.source",
    "is not a list; list addresses of this machine",
  ]);
});

Deno.test("a source stands once in its list, however it is written", () => {
  assertFaults(withPoolLine("source: [10.0.0.5, 10.0.0.6, 10.0.0.5, '::ffff:1', '0::FFFF:0001']"), [
    "8:34 pools.web.source[2]",
    `"10.0.0.5" is in the list already; leave one of them out`,
  ], ["8:56 pools.web.source[4]", "is in the list already"]);
});

Deno.test("a source is refused where the engine is runtime, whether the file says so or the start", async () => {
  const text = withPoolLine("source: [10.0.0.5]");
  const part = "the engine runtime cannot choose the local address of a dial; use the engine epoll";
  assertFaults(`${text}engine: runtime\n`, ["8:13 pools.web.source", part]);
  for (const engine of ["auto", "epoll"]) assertFaults(`${text}engine: ${engine}\n`);
  assertFaults(`${withPoolLine("source: []")}engine: runtime\n`);
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, text);
  await assert.rejects(readConfig(file, () => "runtime"), {
    message: new RegExp(`:8:13 pools.web.source: ${part}`),
  });
  assert.deepEqual((await readConfig(file, () => "epoll")).pools.web?.source, ["10.0.0.5"]);
  await Deno.remove(file);
});
