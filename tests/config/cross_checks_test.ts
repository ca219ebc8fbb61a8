import { assertFaults, MINIMAL, withBackends, withPoolLine } from "./faults.ts";

/** Two listeners on one pool, each with the keys that are given. */
function withListeners(...listeners: string[]): string {
  const lines = listeners.map((it) => `  - { pool: web, ${it} }\n`).join("");
  return `listeners:\n${lines}pools: { web: { backends: [a:1] } }\n`;
}

Deno.test("a pool that does not exist is a fault that names the nearest, or all there are", () => {
  assertFaults(MINIMAL.replace("pool: web", "pool: wbe"), [
    "3:11 listeners[0].pool",
    'there is no pool "wbe"; did you mean web?',
  ]);
  assertFaults(
    "listeners: [{ listen: ':1', pool: nothing }]\npools: { web: { backends: [a:1] }, api: { backends: [a:1] } }\n",
    [
      "1:35 listeners[0].pool",
      'there is no pool "nothing"; use web, api',
    ],
  );
});

Deno.test("without any pools that can be read, no listener is blamed for its pool", () => {
  assertFaults("listeners: [{ listen: ':1', pool: web }]\npools: {}\n", ["2:8 pools", "empty; "]);
  assertFaults("listeners: [{ listen: ':1', pool: web }]\npools: 5\n", ["2:8 pools", "5 is not a map"]);
});

Deno.test("two listeners cannot share an address", () => {
  assertFaults(withListeners("listen: ':1'", "listen: ':2'", "listen: ':1'", "listen: ':1'"), [
    "4:26 listeners[2].listen",
    'the address ":1" is used a second time',
  ], ["5:26 listeners[3].listen", 'the address ":1" is used a second time']);
});

Deno.test("two listeners cannot share a name, whether it is written or comes from the address", () => {
  assertFaults(withListeners("listen: ':1', name: a", "listen: ':2', name: a"), [
    "3:38 listeners[1].name",
    'the name "a" is used a second time',
  ]);
  assertFaults(withListeners("listen: 'h:1'", "listen: 'h:2', name: 'h:1'"), [
    "3:39 listeners[1].name",
    'the name "h:1" is used a second time',
  ]);
});

Deno.test("a listener without a name cannot share the name that another one was given", () => {
  assertFaults(withListeners("listen: 'h:2', name: 'h:1'", "listen: 'h:1'"), [
    "3:26 listeners[1].listen",
    'the name "h:1" is used a second time',
  ]);
});

Deno.test("the backends of a pool cannot share an address, in either form", () => {
  assertFaults(withBackends("a:1", "b:1", "a:1"), [
    "9:9 pools.web.backends[2]",
    'the address "a:1" is used a second time',
  ]);
  assertFaults(withBackends("{ address: a:1, name: x }", "a:1"), [
    "8:9 pools.web.backends[1]",
    'the address "a:1" is used a second time',
  ]);
  assertFaults(withBackends("a:1", "{ address: a:1, name: x }"), [
    "8:20 pools.web.backends[1].address",
    'the address "a:1" is used a second time',
  ]);
});

Deno.test("a backend that stands twice without a name is one fault, not a second one for its name", () => {
  assertFaults(withBackends("{ address: a:1 }", "{ address: a:1 }"), [
    "8:20 pools.web.backends[1].address",
    'the address "a:1" is used a second time',
  ]);
});

Deno.test("an address is the same however its port is written", () => {
  assertFaults(withBackends("a:80", "a:080"), ["8:9 pools.web.backends[1]", "is used a second time"]);
});

Deno.test("the backends of a pool cannot share a name, whether it is written or comes from the address", () => {
  assertFaults(withBackends("{ address: a:1, name: x }", "{ address: a:2, name: x }"), [
    "8:31 pools.web.backends[1].name",
    'the name "x" is used a second time',
  ]);
  assertFaults(withBackends("a:1", "{ address: a:2, name: 'a:1' }"), [
    "8:31 pools.web.backends[1].name",
    'the name "a:1" is used a second time',
  ]);
});

Deno.test("a backend in the short form cannot share the name that another one was given", () => {
  assertFaults(withBackends("{ address: a:1, name: 'a:2' }", "a:2"), [
    "8:9 pools.web.backends[1]",
    'the name "a:2" is used a second time',
  ]);
});

Deno.test("two pools may have the same backend, and two backends of different pools the same name", () => {
  assertFaults(
    "listeners: [{ listen: ':1', pool: a }]\n" +
      "pools: { a: { backends: [{ address: h:1, name: x }] }, b: { backends: [{ address: h:1, name: x }] } }\n",
  );
});

Deno.test("a hash key belongs to maglev", () => {
  const where = "pools.web.hash_key";
  assertFaults(withPoolLine("hash_key: source_ip"), [
    `8:5 ${where}`,
    "hash_key belongs to algorithm maglev; this pool has round_robin",
  ]);
  assertFaults(withPoolLine("hash_key: source_ip\n    algorithm: first"), [
    `8:5 ${where}`,
    "hash_key belongs to algorithm maglev; this pool has first",
  ]);
  assertFaults(withPoolLine("algorithm: maglev\n    hash_key: source_ip"));
  assertFaults(withPoolLine("algorithm: maglef\n    hash_key: source_ip"), [
    "8:16 pools.web.algorithm",
    "unknown algorithm",
  ]);
});

Deno.test("confinement by the kernel is required of the engine epoll alone", () => {
  assertFaults(`${MINIMAL}engine: runtime\nconfinement: required\n`, [
    "9:14 confinement",
    "only the engine epoll (Linux, with --allow-ffi) is confined by the kernel; write best_effort, or use that engine",
  ]);
  assertFaults(`${MINIMAL}engine: epoll\nconfinement: required\n`);
  assertFaults(`${MINIMAL}engine: runtime\nconfinement: best_effort\n`);
  assertFaults(`${MINIMAL}confinement: mandatory\n`, [
    "8:14 confinement",
    'unknown confinement "mandatory"; use best_effort, required',
  ]);
});
