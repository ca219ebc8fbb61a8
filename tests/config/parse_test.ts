import assert from "node:assert/strict";
import { ConfigError, parseConfig } from "../../lib/config/parse.ts";
import { InputError } from "../../lib/core/errors.ts";
import { assertFaults, faultsOf, MINIMAL, withPoolLine } from "./faults.ts";

Deno.test("all faults of a file are reported together, in the order of the file", () => {
  assertFaults(
    `listeners:
  - listen: 127.0.0.1
    pool: wbe
    idle_timeout: 5
    idle_timeout: 6
  - x
  - listen: ':1'
    pool: &a web
    name: *a
pools:
  web:
    algorithm: fastest
    backends: [a:1, 8002, { address: a:1, name: z, wait: 2 }]
  api: { backends: [] }
log: { level: loud, sessions: maybe }
workers: 0
shutdown: 5s
`,
    ["2:13 listeners[0].listen", "has no port"],
    ["3:11 listeners[0].pool", 'there is no pool "wbe"'],
    ["4:19 listeners[0].idle_timeout", "add the unit"],
    ["5:5 listeners[0].idle_timeout", "a second time"],
    ["6:5 listeners[1]", "is not a map"],
    ["8:11 listeners[2].pool", "YAML anchors"],
    ["9:11 listeners[2].name", "YAML aliases"],
    ["12:16 pools.web.algorithm", "unknown algorithm"],
    ["13:21 pools.web.backends[1]", "is not an address"],
    ["13:38 pools.web.backends[2].address", "a second time"],
    ["13:52 pools.web.backends[2].wait", "unknown key"],
    ["14:20 pools.api.backends", "list at least one"],
    ["15:15 log.level", "unknown level"],
    ["15:31 log.sessions", "is not true, false or served"],
    ["16:10 workers", "write auto or 1 to 256"],
    ["17:1 shutdown", "unknown key"],
  );
});

Deno.test("a fault is said as file:line:column, path, and sentence", () => {
  const sentence =
    'unknown algorithm "fastest"; use round_robin, least_connections, random_two, random, first, maglev';
  assert.throws(
    () => parseConfig(withPoolLine("algorithm: fastest"), "etc/balancer.yaml"),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError && error instanceof InputError);
      assert.equal(
        error.message,
        `etc/balancer.yaml:8:16 pools.web.algorithm: ${sentence}`,
      );
      assert.deepEqual(error.faults, [{
        file: "etc/balancer.yaml",
        path: ["pools", "web", "algorithm"],
        line: 8,
        column: 16,
        message: sentence,
      }]);
      return true;
    },
  );
});

Deno.test("what could not be read in a place has no content to complain about", () => {
  assertFaults(MINIMAL.replace("pool: web", "pool: *web"), ["3:11 listeners[0].pool", "YAML aliases"]);
});

Deno.test("lines may end in CRLF, and a byte order mark may stand at the start", () => {
  const wrong = withPoolLine("retries: x");
  assert.deepEqual(faultsOf(wrong.replaceAll("\n", "\r\n")), faultsOf(wrong));
  assert.deepEqual(faultsOf(`\uFEFF${wrong}`), faultsOf(wrong));
  const plain = parseConfig(MINIMAL, "f");
  assert.deepEqual(parseConfig(MINIMAL.replaceAll("\n", "\r\n"), "f"), plain);
  assert.deepEqual(parseConfig(`\uFEFF${MINIMAL}`, "f"), plain);
});

Deno.test("one document may say the same in block and in flow style, quoted or not", () => {
  const flow = `{"listeners": [{"listen": "127.0.0.1:5678", "pool": "web"}],
    "pools": {"web": {"backends": [{"address": "127.0.0.1:8001"}]}}}`;
  assert.deepEqual(parseConfig(flow, "f"), parseConfig(MINIMAL, "f"));
});
