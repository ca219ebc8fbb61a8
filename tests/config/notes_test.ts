import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { workerNotes } from "../../lib/config/notes.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { readConfig } from "../../lib/config/read.ts";
import { withBackends, withPoolLine } from "./faults.ts";

/** Exactly these notes, in this order. */
function assertNotes(text: string, ...expected: string[]): void {
  assert.deepEqual(parseConfig(text, "f.yaml").notes, expected.map((it) => `f.yaml:${it}`));
}

Deno.test("a backlog is noted that the system cuts without a word", () => {
  const withBacklog = (listen: string, backlog: number): string =>
    `listeners: [{ listen: "${listen}", pool: p, backlog: ${backlog} }]\npools: { p: { backends: [a:1] } }\n`;
  assertNotes(
    withBacklog(":80", 4097),
    "1:48 listeners[0].backlog: note: Linux cuts a backlog to net.core.somaxconn, which is 4096 unless it was raised",
  );
  assertNotes(withBacklog(":80", 4096));
  assertNotes(
    withBacklog("unix:/s", 8),
    "1:52 listeners[0].backlog: note: a Unix socket has a backlog of 1024, whatever this says",
  );
  assertNotes(`${withBacklog("unix:/s", 8)}engine: epoll\n`);
  assertNotes("listeners: [{ listen: unix:/s, pool: p }]\npools: { p: { backends: [a:1] } }\n");
});

Deno.test("a check that may take longer than its interval is noted at its timeout", () => {
  assertNotes(
    withPoolLine("health_check: { timeout: 3s }"),
    "8:30 pools.web.health_check.timeout: note: 3s is longer than the interval of 2s; " +
      "checks then follow one another without pause",
  );
  assertNotes(
    withPoolLine("health_check: { interval: 500ms }"),
    "8:19 pools.web.health_check.timeout: note: 1s is longer than the interval of 500ms; " +
      "checks then follow one another without pause",
  );
  assertNotes(withPoolLine("health_check: { interval: 2s, timeout: 2s }"));
});

Deno.test("a queue is noted in which nobody can ever wait", () => {
  assertNotes(
    withPoolLine("queue: { size: 5 }"),
    "8:20 pools.web.queue.size: note: no session ever waits, since no backend of this pool has max_connections",
  );
  assertNotes(withBackends("a:1", "{ address: b:1, max_connections: 1 }") + "    queue: { size: 5 }\n");
  assertNotes(withPoolLine("queue: { timeout: 1s }"));
});

Deno.test("a slow start is noted in a pool whose backends never go down", () => {
  const note =
    "8:17 pools.web.slow_start: note: no backend ever starts slowly, since nothing takes one down: " +
    "there is no health_check, and outlier_detection is off";
  assertNotes(withPoolLine("slow_start: 5s"), note);
  assertNotes(withPoolLine("slow_start: 5s\n    outlier_detection: { consecutive_failures: 0 }"), note);
  assertNotes(withPoolLine("slow_start: 5s\n    health_check: {}"));
  const outliers = "outlier_detection: { consecutive_failures: 1, max_ejected_percent: 100 }";
  assertNotes(withPoolLine(`slow_start: 5s\n    ${outliers}`));
  assertNotes(withPoolLine("slow_start: 0s"));
});

Deno.test("outlier detection is noted that may eject less than one backend", () => {
  const two = withBackends("a:1", "b:1");
  assertNotes(
    `${two}    outlier_detection: { consecutive_failures: 3, max_ejected_percent: 49 }\n`,
    "9:72 pools.web.outlier_detection.max_ejected_percent: note: 49 percent of 2 backends is less than one; " +
      "none is ever ejected",
  );
  assertNotes(
    withPoolLine("outlier_detection: { consecutive_failures: 3 }"),
    "8:24 pools.web.outlier_detection.max_ejected_percent: note: 50 percent of 1 backend is less than one; " +
      "none is ever ejected",
  );
  assertNotes(`${two}    outlier_detection: { consecutive_failures: 3, max_ejected_percent: 50 }\n`);
  assertNotes(`${two}    outlier_detection: { max_ejected_percent: 0 }\n`);
});

Deno.test("backends are noted that are all backups, or all have no weight", () => {
  assertNotes(
    withBackends("{ address: a:1, backup: true }", "{ address: b:1, backup: true }"),
    "7:7 pools.web.backends: note: all backends are backups, so there is nothing to back up",
  );
  assertNotes(
    withBackends("{ address: a:1, weight: 0 }", "{ address: b:1, weight: 0 }"),
    "7:7 pools.web.backends: note: all weights are 0, so no backend takes new sessions",
  );
  assertNotes(withBackends("{ address: a:1, weight: 0, backup: true }", "b:1"));
});

Deno.test("the notes of all pools are in the order of the file", () => {
  assertNotes(
    `pools:
  10: { slow_start: 1s, backends: [a:1], queue: { size: 1 } }
  "9": { backends: [{ address: a:1, weight: 0 }] }
listeners: [{ listen: ":1", pool: "9" }]
`,
    "2:21 pools.10.slow_start: note: no backend ever starts slowly, since nothing takes one down: " +
      "there is no health_check, and outlier_detection is off",
    "2:57 pools.10.queue.size: note: no session ever waits, since no backend of this pool has max_connections",
    "3:20 pools.9.backends: note: all weights are 0, so no backend takes new sessions",
  );
});

Deno.test("the notes of a file are said with its path as it was given, beside addresses that are relative to it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "balancer.yaml");
    await Deno.writeTextFile(path, withBackends(`{ address: "unix:b.sock", weight: 0 }`));
    const { notes, pools } = await readConfig(path);
    assert.deepEqual(notes, [
      `${path}:7:7 pools.web.backends: note: all weights are 0, so no backend takes new sessions`,
    ]);
    assert.deepEqual(pools.web?.backends.map((it) => it.address), [
      { transport: "unix", path: join(dirname(path), "b.sock") },
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a backend that is the balancer itself is noted, also by way of another pool", () => {
  const config = (listeners: string, pools: string): string => `listeners: ${listeners}\npools: ${pools}\n`;
  const one = (listen: string, backend: string): string =>
    config(`[{ listen: "${listen}", name: web, pool: p }]`, `{ p: { backends: ["${backend}"] } }`);
  const note = "2:26 pools.p.backends[0]: note: this backend is the listener web itself; " +
    "each of its sessions would come back, without end";
  for (
    const [listen, backend] of [
      ["127.0.0.1:80", "127.0.0.1:80"],
      [":80", "127.0.0.1:80"],
      [":80", "localhost:80"],
      ["[::1]:80", "[0::1]:80"],
      ["10.0.0.1:80", "10.0.0.1:80"],
      ["unix:/run/a.sock", "unix:/run/./a.sock"],
      ["unix:./a.sock", "unix:a.sock"],
    ] as const
  ) assertNotes(one(listen, backend), note);
  assertNotes(one(":80", "10.0.0.1:80"));
  assertNotes(one(":80", "127.0.0.1:81"));
  assertNotes(
    config(
      "[{ listen: ':1', name: a, pool: p }, { listen: ':2', name: b, pool: q }]",
      "{ p: { backends: ['localhost:2'] }, q: { backends: ['localhost:1', c:3] } }",
    ),
    "2:26 pools.p.backends[0]: note: this backend is the listener b, from where sessions come back to this pool, without end",
    "2:60 pools.q.backends[0]: note: this backend is the listener a, from where sessions come back to this pool, without end",
  );
  assertNotes(
    config(
      "[{ listen: ':1', name: a, pool: p }, { listen: ':2', name: b, pool: q }]",
      "{ p: { backends: ['localhost:2'] }, q: { backends: [c:3] } }",
    ),
  );
});

Deno.test("far more workers than cores are noted", () => {
  assert.deepEqual(workerNotes("auto", 1), []);
  assert.deepEqual(workerNotes(8, 2), []);
  assert.deepEqual(workerNotes(9, 2).map(({ path, message }) => `${path}: ${message}`), [
    "workers: this machine has 2 cores; more workers than cores are no faster, " +
    "and 9 of them take some 180 MiB before the first session",
  ]);
});

Deno.test("keepalive that is more than on and off is noted for the engine runtime, and for no other", async () => {
  const withKeepalive = (keepalive: string, engine: string): string =>
    `listeners: [{ listen: ":80", pool: p, keepalive: ${keepalive} }]
pools: { p: { backends: [a:1] } }
engine: ${engine}
`;
  const note =
    "1:50 listeners[0].keepalive: note: not in force: the engine runtime can only switch probes on, " +
    "with the times of the system; engine: epoll has them as they are written";
  const other = "{ idle: 30s, interval: 5s }";
  assertNotes(withKeepalive(other, "runtime"), note);
  for (const engine of ["auto", "epoll"]) assertNotes(withKeepalive(other, engine));
  for (const same of ["{}", "{ idle: 1m, count: 6 }", "{ idle: 0s, count: 2 }"]) {
    assertNotes(withKeepalive(same, "runtime"));
  }
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, withKeepalive(other, "auto"));
  assert.deepEqual((await readConfig(file, () => "runtime")).notes, [`${file}:${note}`]);
  assert.deepEqual((await readConfig(file, () => "epoll")).notes, []);
  await Deno.remove(file);
});

Deno.test("a source of a family that no backend of its pool has is noted, unless backends may come that have it", () => {
  const pool = (backends: string, more = ""): string =>
    `listeners: [{ listen: ":80", pool: p }]
pools: { p: { backends: [${backends}], source: ["10.0.0.5", "2001:db8::5"]${more} } }
`;
  const note = (place: string, family: string): string =>
    `${place}: note: no backend of this pool has an ${family} address, so none is dialled from here`;
  assertNotes(pool("10.1.0.1:8080"), note("2:63 pools.p.source[1]", "IPv6"));
  assertNotes(pool('"[2001:db8::1]:8080"'), note("2:58 pools.p.source[0]", "IPv4"));
  assertNotes(pool('"[2001:db8::1]:8080"', ", within: [10.0.0.0/8]"));
  assertNotes(pool('10.1.0.1:8080, "[2001:db8::1]:8080"'));
  assertNotes(pool("db.internal:80"));
});

/** A listener on UDP, and its pool with a line on line 3. */
function onUdp(listen: string, line = ""): string {
  return `listeners: [{ listen: "${listen}", pool: dns }]\npools: { dns: { backends: ["10.0.0.1:53"]${line} } }\n`;
}

Deno.test("with the engine runtime, a listener on UDP and all addresses is noted: it does not choose where answers come from", () => {
  const why =
    "with the engine runtime the system chooses the address that answers come from, which a client may not " +
    "expect where this machine has several; listen on one of them, or use engine: epoll";
  for (const listen of ["udp::53", "udp:[::]:53", "udp:0.0.0.0:53"]) {
    assertNotes(`${onUdp(listen)}engine: runtime\n`, `1:23 listeners[0].listen: note: ${why}`);
    for (const engine of ["auto", "epoll"]) assertNotes(`${onUdp(listen)}engine: ${engine}\n`);
  }
  assertNotes(`${onUdp("udp:127.0.0.1:53")}engine: runtime\n`);
});

Deno.test("a check over TCP at a port of UDP is noted, unless it says the port", () => {
  assertNotes(
    onUdp("udp::53", ", health_check: { type: tcp }"),
    "2:66 pools.dns.health_check.type: note: type tcp asks over TCP, at the port that has the datagrams of this pool; " +
      "where nothing listens there over TCP, all backends are down; write the port that it is to ask, or type: udp",
  );
  assertNotes(onUdp("udp::53", ", health_check: { type: tcp, port: 53 }"));
  assertNotes(onUdp("udp::53", ", health_check: { type: udp, send: a }"));
});

Deno.test("a backend on UDP is a listener of this balancer on UDP alone", () => {
  const pools = 'pools: { a: { backends: ["127.0.0.1:53"] } }\n';
  assertNotes(
    `listeners: [{ listen: "udp:127.0.0.1:53", pool: a }]\n${pools}`,
    "2:26 pools.a.backends[0]: note: this backend is the listener udp:127.0.0.1:53 itself; " +
      "each of its sessions would come back, without end",
  );
  assertNotes(`listeners: [{ listen: "127.0.0.1:53", pool: b }, { listen: "udp:127.0.0.1:54", pool: a }]
pools: { a: { backends: ["127.0.0.1:53"] }, b: { backends: ["127.0.0.1:54"] } }
`);
});
