import assert from "node:assert/strict";
import {
  applicable as applicableBy,
  type InForce,
  overridden,
  withOverrides,
} from "../../lib/control/in_force.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import type { Config } from "../../lib/config/schema.ts";

const NO_OVERRIDES = { workers: undefined, engine: undefined, logLevel: undefined, logFormat: undefined };

const NO_EPOLL = "it needs Linux, and this is darwin";

/** In a program whose engine is runtime, where there is no other. */
function applicable(next: Config, running: Config, mayWrite = true): InForce {
  return applicableBy(next, running, { name: "runtime", whyNoEpoll: NO_EPOLL }, () => mayWrite);
}

function config(listener = "listen: 127.0.0.1:5678", more = ""): Config {
  return parseConfig(
    `listeners: [{ ${listener}, pool: web }]\npools: { web: { backends: [127.0.0.1:1] } }\n${more}`,
    "x",
  );
}

Deno.test("what the file says is in force, but for what the command line says", () => {
  const read = config(undefined, "workers: 3\nlog: { level: warn, format: json }");
  assert.deepEqual(withOverrides(read, NO_OVERRIDES), read);
  const { workers, engine, log } = withOverrides(read, {
    workers: 1,
    engine: "runtime",
    logLevel: "debug",
    logFormat: undefined,
  });
  assert.deepEqual([workers, engine, log.level, log.format], [1, "runtime", "debug", "json"]);
});

Deno.test("a file that has changed is told what the command line overrides, once", () => {
  const before = config(undefined, "workers: 3\nlog: { level: warn }");
  const overrides = { workers: 1, engine: "runtime", logLevel: "debug", logFormat: "text" } as const;
  assert.deepEqual(overridden(before, before, overrides), []);
  assert.deepEqual(
    overridden(
      config(undefined, "workers: 4\nengine: epoll\nlog: { level: debug, format: json }"),
      before,
      overrides,
    ),
    [
      { key: "workers", message: "4 is not in force, since the command line says --workers 1" },
      { key: "engine", message: "epoll is not in force, since the command line says --engine runtime" },
      { key: "log.format", message: "json is not in force, since the command line says --log-format text" },
    ],
  );
  assert.deepEqual(overridden(config(), before, NO_OVERRIDES), []);
});

Deno.test("a file of session records stays until a restart", () => {
  const [none, one, two] = ["", "log: { file: /a }", "log: { file: /b }"].map((more) =>
    config(undefined, more)
  );
  assert.ok(none !== undefined && one !== undefined && two !== undefined);
  const cases: [Config, Config, string][] = [
    [one, none, "/a needs a restart; until then they go to stderr"],
    [two, one, "/b needs a restart; until then they go to /a"],
    [none, one, "session records on stderr need a restart; until then they go to /a"],
  ];
  for (const [next, running, message] of cases) {
    const { config, notes } = applicable(next, running);
    assert.deepEqual(notes, [{ key: "log.file", message }]);
    assert.equal(config.log.file, running.log.file);
  }
  assert.deepEqual(applicable(two, two), { config: two, notes: [] });
});

Deno.test("the backlog of a socket that stays open stays as well", () => {
  const running = config("listen: 127.0.0.1:5678, backlog: 10");
  const { config: inForce, notes } = applicable(
    config("listen: 127.0.0.1:5678, name: new, backlog: 20"),
    running,
  );
  assert.equal(inForce.listeners[0]?.backlog, 10);
  assert.deepEqual(notes.map(({ key }) => key), ["listeners[0].backlog"]);
  // Another socket, or one that is made anew.
  for (const listen of ["127.0.0.1:5679", "unix:/tmp/a.sock"]) {
    const next = config(`listen: ${listen}, backlog: 20`);
    assert.deepEqual(applicable(next, config(`listen: 127.0.0.1:5678, backlog: 10`)), {
      config: next,
      notes: [],
    });
  }
  const unix = config("listen: unix:/tmp/a.sock, backlog: 20");
  assert.deepEqual(applicable(unix, config("listen: unix:/tmp/a.sock, backlog: 10")).notes, []);
  // Every port 0 is another port, but the name says which.
  const port0 = config("listen: 127.0.0.1:0, name: a, backlog: 20");
  assert.deepEqual(applicable(port0, config("listen: 127.0.0.1:0, name: b, backlog: 10")).notes, []);
  assert.equal(applicable(port0, config("listen: 127.0.0.1:0, name: a, backlog: 10")).notes.length, 1);
});

Deno.test("another engine needs a restart, unless it is the one that auto stands for", () => {
  const [auto, runtime, epoll] = ["auto", "runtime", "epoll"].map((it) => config(undefined, `engine: ${it}`));
  assert.ok(auto !== undefined && runtime !== undefined && epoll !== undefined);
  const cases: [Config, "runtime" | "epoll", string | undefined, string | undefined][] = [
    [auto, "runtime", NO_EPOLL, undefined],
    [auto, "epoll", undefined, undefined],
    [auto, "runtime", undefined, "epoll needs a restart; until then it is runtime"],
    [runtime, "runtime", undefined, undefined],
    [runtime, "epoll", undefined, "runtime needs a restart; until then it is epoll"],
    [epoll, "epoll", undefined, undefined],
    [epoll, "runtime", undefined, "epoll needs a restart; until then it is runtime"],
    [epoll, "runtime", NO_EPOLL, `epoll cannot be used: ${NO_EPOLL}; it is still runtime`],
  ];
  for (const [next, name, whyNoEpoll, message] of cases) {
    const { config, notes } = applicableBy(next, runtime, { name, whyNoEpoll }, () => true);
    assert.deepEqual(notes, message === undefined ? [] : [{ key: "engine", message }]);
    assert.equal(config.engine, runtime.engine);
  }
});

Deno.test("a state file that may not be written needs a restart, and the one before stays", () => {
  const [none, one, two] = ["", "state_file: /a.json", "state_file: /b.json"].map((it) =>
    config(undefined, it)
  );
  if (none === undefined || one === undefined || two === undefined) assert.fail();
  for (
    const [running, kept, message] of [[none, undefined, "nothing is kept"], [
      two,
      "/b.json",
      "/b.json is written",
    ]] as const
  ) {
    const { config, notes } = applicable(one, running, false);
    assert.equal(config.stateFile, kept);
    assert.deepEqual(notes, [{
      key: "state_file",
      message: `/a.json needs a restart; until then ${message}`,
    }]);
    assert.equal(applicable(one, running, true).config.stateFile, "/a.json");
  }
  for (const next of [none, one]) assert.deepEqual(applicable(next, one, false), { config: next, notes: [] });
});
