/** What people write who come from other programs, and the one sentence that they get. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import {
  assertFaults,
  faultsOf,
  MINIMAL,
  withBackends,
  withListenerLine,
  withPoolLine,
  withRootLine,
} from "./faults.ts";

Deno.test("an algorithm of another program, or one that is mistyped, names the one that is meant", () => {
  for (
    const [word, meant] of [
      ["roundrobin", "round_robin"],
      ["round-robin", "round_robin"],
      ["RoundRobin", "round_robin"],
      ["ROUND_ROBIN", "round_robin"],
      ["static-rr", "round_robin"],
      ["wrr", "round_robin"],
      ["leastconn", "least_connections"],
      ["least_conn", "least_connections"],
      ["LEAST_REQUEST", "least_connections"],
      ["least-connections", "least_connections"],
      ["lest_connections", "least_connections"],
      ["source", "maglev"],
      ["ip_hash", "maglev"],
      ["hash", "maglev"],
      ["RING_HASH", "maglev"],
      ["p2c", "random_two"],
      ["randm", "random"],
      ["frist", "first"],
    ] as const
  ) {
    const expected = `unknown algorithm ${JSON.stringify(word)}; did you mean ${meant}?`;
    assertFaults(withPoolLine(`algorithm: ${word}`), ["8:16 pools.web.algorithm", expected]);
  }
  assertFaults(withRootLine("log: { level: warning, format: plain }"), [
    "8:15 log.level",
    'unknown level "warning"; did you mean warn?',
  ], ["8:32 log.format", 'unknown format "plain"; did you mean text?']);
  assertFaults(withPoolLine("health_check: { type: httpchk }"), [
    "8:27 pools.web.health_check.type",
    "did you mean http?",
  ]);
});

Deno.test("a key of another program names the one that is meant", () => {
  const pool = "pools.web";
  for (
    const [key, hint] of [
      ["balance", "did you mean algorithm?"],
      ["server", "did you mean backends?"],
      ["servers", "did you mean backends?"],
      ["lb_policy", "did you mean algorithm?"],
      ["timeout connect", "did you mean dial_timeout?"],
      ["proxy_connect_timeout", "did you mean dial_timeout?"],
      ["connectTimeout", "did you mean dial_timeout?"],
      ["dialTimeout", "did you mean dial_timeout?"],
      ["health-check", "did you mean health_check?"],
      ["option httpchk", "did you mean health_check?"],
      ["option", "did you mean health_check?"],
      ["trusted_certificate", "write ca in tls of a pool"],
      ["max_fails", "did you mean outlier_detection?"],
      ["timeout server", "write idle_timeout in a listener"],
      ["idle_timeout", "it belongs to a listener"],
      ["max_connections", "it belongs to a backend or a listener"],
      ["ip_hash", "write algorithm: maglev"],
      ["leastconn", "write algorithm: least_connections"],
      ["mode", "sockbal relays bytes as they are and knows no other mode; leave it out"],
      ["ssl", "did you mean tls?"],
      ["send-proxy", "did you mean send_proxy_protocol?"],
      ["acl", "sockbal decides by the address of the client, with allow and deny in a listener, and by the"],
      ["zzz", "use algorithm, hash_key, backends,"],
    ] as const
  ) {
    assertFaults(withPoolLine(`${key}: 1`), [
      `8:5 ${pool}.${key}`,
      `unknown key ${JSON.stringify(key)}; ${hint}`,
    ]);
  }
  for (
    const [key, hint] of [
      ["bind", "did you mean listen?"],
      ["default_backend", "did you mean pool?"],
      ["proxy_pass", "did you mean pool?"],
      ["maxconn", "did you mean max_connections?"],
      ["proxy_responses", "did you mean responses?"],
      ["proxy_timeout", "did you mean idle_timeout?"],
      ["max_udp_sessions", "did you mean max_flows?"],
      [
        "proxy_requests",
        "the datagrams of one client stay with one backend until its flow ends; leave it out",
      ],
      ["udp", "for datagrams write udp: before the address, as listen: udp:127.0.0.1:53"],
      ["protocol", "for datagrams write udp: before the address, as listen: udp:127.0.0.1:53"],
      ["whitelist", "did you mean allow?"],
      ["tcp-request connection reject", "did you mean deny?"],
      ["timeout client", "did you mean idle_timeout?"],
      ["timeout client-fin", "did you mean half_close_timeout?"],
      ["balance", "write algorithm in a pool"],
      ["dial_timeout", "it belongs to a pool"],
      ["ssl_certificate", "write certificates: [{ cert: …, key: … }] in tls"],
      ["ssl_certificate_key", "write certificates: [{ cert: …, key: … }] in tls"],
      ["server_name", "certificates are chosen by their names; to route by name use routes"],
      ["ssl_verify_client", "write client_ca in tls of a listener"],
      ["ssl_trusted_certificate", "write ca in tls of a pool"],
      ["ssl_ciphers", "the ciphers of TLS cannot be set; leave it out"],
    ] as const
  ) {
    assertFaults(withListenerLine(`${key}: 1`), [
      `4:5 listeners[0].${key}`,
      `unknown key ${JSON.stringify(key)}; ${hint}`,
    ]);
  }
  for (
    const [key, hint] of [
      ["frontends", "did you mean listeners?"],
      ["backends", "did you mean pools?"],
      ["upstream", "did you mean pools?"],
      ["nbthread", "did you mean workers?"],
      ["stats", "did you mean admin?"],
      ["global", "what all listeners or pools have stands in defaults: { listener: { … }, pool: { … } }"],
    ] as const
  ) {
    assertFaults(withRootLine(`${key}: 1`), [`8:1 ${key}`, `unknown key ${JSON.stringify(key)}; ${hint}`]);
  }
  assertFaults(
    withBackends("{ address: a:1, check: true }", "{ address: b:1, maxconn: 5 }"),
    ["7:25 pools.web.backends[0].check", "write health_check in a pool"],
    ["8:25 pools.web.backends[1].maxconn", "did you mean max_connections?"],
  );
  assertFaults(withBackends("{ address: a:1, down: true }"), [
    "7:25 pools.web.backends[0].down",
    'unknown key "down"; write weight: 0',
  ]);
  const pairs = "write certificates: [{ cert: …, key: … }]";
  assertFaults(
    withListenerLine("tls: { cert: a.pem, key: a.key, ciphers: HIGH }"),
    ["4:10 listeners[0].tls.certificates", "missing"],
    ["4:12 listeners[0].tls.cert", `unknown key "cert"; ${pairs}`],
    ["4:25 listeners[0].tls.key", `unknown key "key"; ${pairs}`],
    ["4:37 listeners[0].tls.ciphers", "the ciphers of TLS cannot be set"],
  );
  for (const [word, value] of [["on", '"on"'], ["true", "true"]]) {
    assertFaults(withListenerLine(`proxy_protocol: ${word}`), [
      "4:21 listeners[0].proxy_protocol",
      `${value} is not a map; write proxy_protocol: { from: [10.0.0.0/8] }`,
    ]);
  }
});

Deno.test("the words of YAML's core schema are truth values, those of its older version are told what to write", () => {
  for (const [word, value] of [["true", true], ["True", true], ["TRUE", true], ["False", false]] as const) {
    assert.equal(parseConfig(withRootLine(`log: { sessions: ${word} }`), "f").log.sessions, value);
  }
  for (
    const [word, meant] of [["yes", "true"], ["On", "true"], ["no", "false"], ["OFF", "false"], ["1", "true"]]
  ) {
    assertFaults(withRootLine(`log: { sessions: ${word} }`), [
      "8:18 log.sessions",
      `is not true, false or served; write ${meant}`,
    ]);
  }
  for (const word of ["~", "null", "Null", "NULL"]) {
    assertFaults(withRootLine(`shutdown_timeout: ${word}`), ["8:19 shutdown_timeout", "empty; write it as"]);
  }
});

Deno.test("an IPv6 address without quotes is told to have them, wherever it stands", () => {
  const quotes = 'put quotes around an IPv6 address: "[::1]:80"';
  assertFaults(MINIMAL.replace("127.0.0.1:5678", "[::1]:80"), ["2:18", quotes]);
  assertFaults(withBackends("[::1]:80"), ["7:15", quotes]);
  const flow = (backends: string): string => {
    return `listeners: [{ listen: ":1", pool: p }]\npools: { p: { backends: ${backends} } }\n`;
  };
  assertFaults(flow("[ [::1]:80 ]"), ["2:27 pools.p.backends[0]", quotes]);
  assertFaults(flow("[a:1, [::1]:80]"), ["2:31 pools.p.backends[1]", quotes]);
  assertFaults(flow("[{ address: [::1]:80 }]"), ["2:42", quotes]);
});

Deno.test("a variable that is not set is said once, and nothing else about its value", () => {
  const said = " is not set in the environment; set it, or write a default, as ${";
  assertFaults(withBackends("${HOST}:80"), ["7:9 pools.web.backends[0]", `\${HOST}${said}HOST:-…}`]);
  assertFaults(withRootLine("log: { file: '/var/${NAME}.log' }"), ["8:14 log.file", `\${NAME}${said}`]);
  assertFaults(withRootLine("workers: ${N}"), ["8:10 workers", said]);
  assertFaults(withRootLine("log: { file: ${NAME} }"), ["8:14 log.file", said]);
  const check = withPoolLine("health_check: { type: expect, send: 'a$${b}', expect: '/a$${b}|x/' }");
  const { healthCheck } = parseConfig(check, "f").pools.web ?? {};
  assert.equal(healthCheck?.type === "expect" && healthCheck.send, "a${b}");
});

Deno.test("what looks like a variable and is none is told how to be written", () => {
  const forms = "write a variable as ${NAME} or ${NAME:-default}, and a plain ${ as $${";
  assertFaults(withListenerLine("name: a${b c}"), [
    "4:11 listeners[0].name",
    `"\${b c}" is no variable; ${forms}`,
  ]);
  assertFaults(withListenerLine("name: a${b"), ["4:11 listeners[0].name", `"\${" is no variable; ${forms}`]);
  assertFaults(withListenerLine("name: ${A-b}"), ["4:11 listeners[0].name", forms]);
  assertFaults(withRootLine("log: { file: ${a b} }"), ["8:15", forms]);
});

Deno.test("a variable without braces is told to have them, where its value is refused", () => {
  const wanted = (name: string): string => `; a variable is written \${${name}}`;
  assertFaults(withBackends("$HOST:80"), ["7:9 pools.web.backends[0]", `IP address${wanted("HOST")}`]);
  assertFaults(withBackends("127.0.0.1:$PORT"), ["7:9 pools.web.backends[0]", wanted("PORT")]);
  assertFaults(withBackends("127.0.0.1:$(PORT)"), ["7:9 pools.web.backends[0]", wanted("PORT")]);
  assertFaults(withRootLine("workers: $N"), ["8:10 workers", `write auto or 1 to 256${wanted("N")}`]);
  assertFaults(withListenerLine("allow: [$NET]"), ["4:13 listeners[0].allow[0]", wanted("NET")]);
  assertFaults(
    withListenerLine("routes: [{ sni: a.example, pool: $POOL }]"),
    ["4:38 listeners[0].routes[0].pool", wanted("POOL")],
  );
  // What is taken as it stands has no fault, and what costs something has none to do with variables.
  assertFaults(withPoolLine("health_check: { type: expect, send: 'cost $x', expect: 'is $5' }"));
  assertFaults(withListenerLine("idle_timeout: $5"), ["4:19 listeners[0].idle_timeout", "or 2h"]);
  const [fault = ""] = faultsOf(withListenerLine("idle_timeout: $5"));
  assert.ok(!fault.includes("variable"), fault);
});

Deno.test("a duration in another form is told its own", () => {
  for (
    const [text, write] of [
      ["30sec", "30s"],
      ["5 minutes", "5m"],
      ["1d", "24h"],
      ["1.5s", "1s500ms"],
      ["0.1s", "100ms"],
      ["90S", "1m30s"],
      ["2 hrs", "2h"],
      ["250 msec", "250ms"],
    ] as const
  ) {
    assertFaults(withListenerLine(`idle_timeout: ${text}`), [
      "4:19 listeners[0].idle_timeout",
      `${JSON.stringify(text)} is not a duration; write it as ${write}`,
    ]);
  }
  for (const text of ["30us", "forever", "1.00001s", "1000d"]) {
    assertFaults(withListenerLine(`idle_timeout: ${text}`), [
      "4:19 listeners[0].idle_timeout",
      "write it as 250ms, 30s, 1m30s or 2h",
    ]);
  }
});

Deno.test("an address in another form is told what to write", () => {
  for (
    const [text, hint] of [
      ["http://10.0.0.1:80", "write only host:port, as 10.0.0.1:80"],
      ["http://10.0.0.1:8080/x", "write only host:port, as 10.0.0.1:8080"],
      ["tcp://db", "write only host:port, as db:80"],
      ["/run/x.sock", "for a Unix socket write unix:/run/x.sock"],
      ["'*:80'", "to listen on all addresses write :80"],
    ] as const
  ) assertFaults(withBackends(text), ["7:9 pools.web.backends[0]", hint]);
});

Deno.test("what is not closed is said to be so", () => {
  for (const text of ["listeners: [", "listeners: {", 'a: "b', "a: ['b]"]) {
    assertFaults(`${text}\n`, ["2:1", "a bracket, a brace or a quote that was opened above is not closed"]);
  }
});
