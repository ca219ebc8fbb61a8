import assert from "node:assert/strict";
import { ALGORITHM_NAMES, ENGINE_NAMES } from "../../lib/cli/flags.ts";
import { flags, refusal } from "./arguments.ts";

const BALANCER = "--role balancer";

Deno.test("a balancer that is told nothing leaves everything to its configuration", () => {
  assert.deepEqual({ ...flags(BALANCER) }, {
    role: "balancer",
    config: undefined,
    listen: undefined,
    backends: [],
    algorithm: undefined,
    workers: undefined,
    engine: undefined,
    takeOver: false,
    watch: false,
    status: false,
    json: false,
    admin: undefined,
    check: false,
    printSchema: false,
    printPermissions: false,
    logLevel: undefined,
    logFormat: undefined,
  });
});

Deno.test("each flag of the balancer is read in both forms", () => {
  const forms: [string, string, string, unknown][] = [
    ["--config", "etc/balancer.yaml", "config", "etc/balancer.yaml"],
    ["--admin", "127.0.0.1:9901", "admin", { transport: "tcp", host: "127.0.0.1", port: 9901 }],
    ["--listen", ":80", "listen", { transport: "tcp", host: "", port: 80 }],
    ["--backend", "a:1", "backends", [{ transport: "tcp", host: "a", port: 1 }]],
    ...ALGORITHM_NAMES.map((
      name,
    ): [string, string, string, unknown] => ["--algorithm", name, "algorithm", name]),
    ...ENGINE_NAMES.map((name): [string, string, string, unknown] => ["--engine", name, "engine", name]),
    ["--workers", "1", "workers", 1],
    ["--workers", "256", "workers", 256],
  ];
  for (const [flag, text, key, value] of forms) {
    assert.deepEqual(flags(`${BALANCER} ${flag} ${text}`)[key], value);
    assert.deepEqual(flags(`${BALANCER} ${flag}=${text}`)[key], value);
  }
});

Deno.test("what only prints or checks is a flag without a value", () => {
  const switches: [string, string][] = [
    ["--check", "check"],
    ["--watch", "watch"],
    ["--status", "status"],
    ["--json", "json"],
    ["--print-schema", "printSchema"],
    ["--print-permissions", "printPermissions"],
  ];
  for (const [flag, key] of switches) {
    assert.equal(flags(`${BALANCER} ${flag}`)[key], true);
    assert.equal(refusal(`${BALANCER} ${flag}=true`), `${flag} takes no value`);
    assert.equal(refusal(`${BALANCER} ${flag} ${flag}`), `${flag} is given twice`);
  }
});

Deno.test("backends may be repeated and keep their order", () => {
  const { backends } = flags(`--backend b:2 ${BALANCER} --backend=a:1 --backend unix:/c`);
  assert.deepEqual(backends, [
    { transport: "tcp", host: "b", port: 2 },
    { transport: "tcp", host: "a", port: 1 },
    { transport: "unix", path: "/c" },
  ]);
});

Deno.test("a value that is wrong is refused with the flag and what to write", () => {
  const wrong: [string, string][] = [
    ["--listen a", '--listen: "a" has no port; write host:port, [v6]:port or unix:/path'],
    ["--backend :80", '--backend: ":80" names no host to dial; write 127.0.0.1:80'],
    ["--algorithm roundrobin", `--algorithm: "roundrobin" is not known; did you mean round_robin?`],
    ["--algorithm leastconn", `--algorithm: "leastconn" is not known; did you mean least_connections?`],
    ["--engine fast", `--engine: "fast" is not known; use ${ENGINE_NAMES.join(", ")}`],
    ["--algorithm fastest", `--algorithm: "fastest" is not known; use ${ALGORITHM_NAMES.join(", ")}`],
    ["--workers 0", '--workers: "0" is not a whole number from 1 to 256'],
    ["--workers 257", '--workers: "257" is not a whole number from 1 to 256'],
    ["--workers auto", '--workers: "auto" is not a whole number from 1 to 256'],
  ];
  for (const [flag, message] of wrong) assert.equal(refusal(`${BALANCER} ${flag}`), message);
});

Deno.test("a flag without its value, or twice where once is meant, is refused", () => {
  const values: [string, string, string][] = [
    ["--config", "FILE", "x"],
    ["--listen", "ADDR", ":1"],
    ["--algorithm", "NAME", "round_robin"],
    ["--workers", "N", "2"],
  ];
  for (const [flag, metavar, value] of values) {
    assert.equal(refusal(`${BALANCER} ${flag}`), `${flag} needs a value, ${metavar}`);
    assert.equal(
      refusal(`${BALANCER} ${flag} ${value} ${flag} ${value}`),
      `${flag} is given twice`,
    );
  }
  assert.equal(refusal(`${BALANCER} --backend`), "--backend needs a value, ADDR");
});
