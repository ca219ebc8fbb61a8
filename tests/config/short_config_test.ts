/** Defaults, and values from the environment. */

import assert from "node:assert/strict";
import { readDocument } from "../../lib/config/document.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { type Environment, escaped, expand, NO_ENVIRONMENT } from "../../lib/config/variables.ts";
import { InputError } from "../../lib/core/errors.ts";
import { configFolder, listenerText, poolText } from "./config_folder.ts";
import { assertFaults, MINIMAL, withRootLine } from "./faults.ts";

Deno.test("listeners and pools have the defaults, unless they say it themselves", () => {
  const { listeners, pools } = parseConfig(
    `defaults:
  listener: { idle_timeout: 1m, backlog: 9, pool: a }
  pool: { retries: 1, health_check: { type: http, path: /up }, queue: { size: 3 } }
listeners: [{ listen: ":1" }, { listen: ":2", backlog: 8, pool: b }]
pools:
  a: { backends: [a:1] }
  b: { backends: [a:1], retries: 0, health_check: { interval: 5s } }
`,
    "f",
  );
  assert.deepEqual(listeners.map((it) => [it.idleTimeoutMs, it.backlog, it.pool]), [
    [60_000, 9, "a"],
    [60_000, 8, "b"],
  ]);
  const { a, b } = pools;
  assert.deepEqual([a?.retries, a?.healthCheck?.type, a?.queue.size], [1, "http", 3]);
  // A key is taken whole, so this check has nothing of the default one.
  assert.deepEqual([b?.retries, b?.healthCheck?.type, b?.healthCheck?.intervalMs], [0, "tcp", 5_000]);
});

Deno.test("a fault in the defaults is said once, where it stands, whether or not it is used", () => {
  assertFaults(
    `defaults:
  listener: { idle_timeout: 5, name: x, listn: x, listen: ":1", tls: { certificates: [] } }
  pool: { retries: x, backends: [] }
  pols: {}
listeners: [{ listen: ":1", pool: a }, { listen: ":2", pool: a }]
pools: { a: { backends: [a:1] }, b: { backends: [a:1] } }
`,
    ["2:29 defaults.listener.idle_timeout", "add the unit"],
    ["2:32 defaults.listener.name", "each listener has its own; write it there"],
    ["2:41 defaults.listener.listn", "unknown key"],
    ["2:51 defaults.listener.listen", "each listener has its own; write it there"],
    ["2:86 defaults.listener.tls.certificates", "empty"],
    ["3:20 defaults.pool.retries", "write 0 to 100"],
    ["3:23 defaults.pool.backends", "each pool has its own; write them there"],
    ["4:3 defaults.pols", "use listener, pool"],
  );
  assertFaults(
    "defaults: { listeners: { idle_timeout: 5s }, pools: { retries: 1 }, backend: {} }\n" + MINIMAL,
    ["1:13 defaults.listeners", "what all listeners have stands in listener: { … }"],
    ["1:46 defaults.pools", "what all pools have stands in pool: { … }"],
    ["1:69 defaults.backend", "what all pools have stands in pool: { … }"],
  );
  assertFaults(withRootLine("defaults: { listener: x, pool: }"), ["8:23 defaults.listener", "is not a map"], [
    "8:26 defaults.pool",
    "empty",
  ]);
  assertFaults(withRootLine("include: x"), ["8:10 include", "list files"]);
});

Deno.test("a default that does not go with the rest of a pool says with which", () => {
  assertFaults(
    `${MINIMAL}defaults: { pool: { initial: down } }\n`,
    ["8:30 defaults.pool.initial", "or write up (for pools.web, f.yaml:5:3)"],
  );
  const { notes } = parseConfig(`${MINIMAL}defaults: { pool: { queue: { size: 1 } } }\n`, "f.yaml");
  assert.equal(notes.length, 1);
  assert.match(
    notes[0] ?? "",
    /^f\.yaml:8:36 defaults\.pool\.queue\.size: note: .* \(for pools\.web, f\.yaml:/,
  );
});

/** An environment with these. */
function environmentOf(variables: Readonly<Record<string, string>>): Environment {
  return (name) => variables[name];
}

Deno.test("a variable is replaced before its value is read as what it is", () => {
  const environment = environmentOf({ PORT: "81", T: "5s", YES: "true", SIGNS: "a: [b] # c", EMPTY: "" });
  const { value, faults, variables } = readDocument(
    `port: \${PORT}
quoted: "\${PORT}"
flow: { a: \${PORT}, b: [\${T}, x\${PORT}y], "c": '\${YES}', d: \${SIGNS}, e: \${YES} }
default: \${NO:-7s}
colon: [\${NO:-127.0.0.1:80}, \${NO:-a, b}, \${NO:-}]
empty: \${EMPTY}
emptied: \${EMPTY:-d}
plain: $\${PORT} $PORT $
quotedPlain: ["$\${", "}"]
block: |
  \${PORT}
  \${T}
# \${COMMENT}
`,
    environment,
  );
  assert.deepEqual(faults, []);
  assert.deepEqual(value, {
    port: 81,
    quoted: "81",
    flow: { a: 81, b: ["5s", "x81y"], c: "true", d: "a: [b] # c", e: true },
    default: "7s",
    colon: ["127.0.0.1:80", "a, b", null],
    empty: null,
    emptied: "d",
    plain: "${PORT} $PORT $",
    quotedPlain: ["${", "}"],
    block: "81\n5s\n",
  });
  assert.deepEqual([...variables].toSorted(), ["EMPTY", "NO", "PORT", "SIGNS", "T", "YES"]);
});

Deno.test("whatever is escaped reads back as it was", () => {
  for (const text of ["${A}", "$${A}", "a$b", "${", "$$$${", "}${}{"]) {
    assert.equal(expand(escaped(text), NO_ENVIRONMENT).text, text);
  }
});

Deno.test("a variable that may not be read is a fault at its place, with the reason", () => {
  const { faults } = readDocument("a: x\nb: ${SECRET}\n", () => {
    throw new InputError("not allowed");
  });
  assert.deepEqual(faults, [{ path: ["b"], line: 2, column: 4, message: "not allowed" }]);
});

Deno.test("only what a configuration names is read of the environment, and its names are known", async () => {
  const { get } = Deno.env;
  const asked: string[] = [];
  try {
    Deno.env.get = (name) => {
      asked.push(name);
      return name === "SOCKBAL_TEST_PORT" ? "81" : undefined;
    };
    await using it = await configFolder({
      "balancer.yaml": `${
        listenerText("web", 1, ", backlog: ${SOCKBAL_TEST_PORT}")
      }include: ["\${D:-d}/*.yaml"]\n`,
      "d/a.yaml": poolText("web", 1, "    retries: ${R:-3}\n"),
    });
    const { config, variables } = await it.read("balancer.yaml");
    assert.deepEqual([config.listeners[0]?.backlog, config.pools.web?.retries], [81, 3]);
    assert.deepEqual(variables, ["D", "R", "SOCKBAL_TEST_PORT"]);
    assert.deepEqual(new Set(asked), new Set(variables));
  } finally {
    Deno.env.get = get;
  }
});

Deno.test("a text from the environment is not shown in faults, what is no secret is", async () => {
  const { get } = Deno.env;
  try {
    Deno.env.get = (name) => name === "SECRET" ? `/[hunter2${"x".repeat(80)}/` : "nowhere";
    await using it = await configFolder({
      "balancer.yaml": listenerText("web", 1, ", idle_timeout: ${T}") +
        poolText("web", 1, "    health_check: { type: expect, send: 5, expect: ${SECRET} }\n"),
    });
    const faults = (await it.faults("balancer.yaml")).join("\n");
    assert.match(faults, /idle_timeout: "nowhere" is not a duration/);
    assert.match(faults, /expect: .*\$\{SECRET\}/);
    assert.doesNotMatch(faults, /hunter2/);
  } finally {
    Deno.env.get = get;
  }
});

Deno.test("a default that means nothing to a listener is left to the others", () => {
  const { listeners } = parseConfig(
    `defaults: { listener: { backlog: 77, max_flows: 50, mode: "0660", idle_timeout: 2m } }
listeners:
  - { name: tcp, listen: "127.0.0.1:1", pool: a }
  - { name: file, listen: "unix:/run/a.sock", pool: a }
  - { name: udp, listen: "udp:127.0.0.1:1", pool: b }
pools: { a: { backends: [10.0.0.1:1] }, b: { backends: [10.0.0.1:1] } }
`,
    "f",
  );
  assert.deepEqual(
    listeners.map(({ name, backlog, mode, flows, idleTimeoutMs }) => [
      ...[name, mode, flows?.maxFlows, idleTimeoutMs],
      flows === undefined ? backlog : "none",
    ]),
    [
      ["tcp", undefined, undefined, 120_000, 77],
      ["file", 0o660, undefined, 120_000, 77],
      ["udp", undefined, 50, 120_000, "none"],
    ],
  );
});
