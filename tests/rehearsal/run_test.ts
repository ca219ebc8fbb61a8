/** Rehearsals in the process of the test, which finds whatever they leave open. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { RunError } from "../../lib/core/errors.ts";
import { runLoad } from "../../lib/load/run_load.ts";
import { readPlan } from "../../lib/rehearsal/read_plan.ts";
import { rehearse } from "../../lib/rehearsal/rehearse.ts";
import type { RunDeps } from "../../lib/rehearsal/run.ts";
import { loadThreads } from "../../lib/roles/load_threads.ts";
import { onEachEngine } from "../support/engines.ts";
import { memoryLog } from "../support/memory_log.ts";

interface Rehearsed {
  readonly why: string | undefined;
  readonly text: string;
}

async function rehearsed(plan: string, deps: Partial<RunDeps> = {}): Promise<Rehearsed> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const lines: string[] = [];
  try {
    await Deno.writeTextFile(file, plan);
    const why = await rehearse(await readPlan(file, () => "runtime"), {
      write: (line) => lines.push(line),
      isColoured: false,
      now: () => performance.now(),
      log: memoryLog().log,
      stop: new AbortController().signal,
      load: async (loadPlan, engine, options) => {
        const threads = await loadThreads(loadPlan.addresses[0], loadPlan, engine);
        return await runLoad({ plan: loadPlan, engine, workers: 1, ...threads, ...options });
      },
      ...deps,
    });
    return { why, text: lines.join("") };
  } finally {
    await Deno.remove(file);
  }
}

function plan(engine: EngineName, more = ""): string {
  return `servers: [one, { name: two, delay: 5ms }]
balancer:
  engine: ${engine}
  workers: 1
  listeners: [{ listen: 127.0.0.1:0, pool: web }]
  pools: { web: { backends: [one, two], health_check: { type: tcp, interval: 100ms, timeout: 1s, fall: 1, rise: 1 } } }
load: { duration: 400ms, rate: 50 }
expect: { requests: 1 }
${more}`;
}

onEachEngine("a rehearsal leaves nothing behind, whatever has happened in it", async (engine) => {
  const { why, text } = await rehearsed(plan(
    engine,
    `events:
  - { at: 50ms, down: one }
  - { at: 100ms, set: two, delay: 1ms, flap: { up: 1s, down: 1s } }
  - { at: 150ms, drain: two }
  - { at: 200ms, up: one }
  - { at: 250ms, reload: { pools: { web: { retries: 5 } } } }
`,
  ));
  assert.equal(why, undefined, text);
  for (const said of ["one goes down", "two: delay 1ms, flap up=1s,down=1s", "two is drained", "reloaded"]) {
    assert.ok(text.includes(said), `${said}\n${text}`);
  }
});

onEachEngine("a request that no connection was free for is an error of a rehearsal", async (engine) => {
  const hanging = plan(engine)
    .replace("servers: [one, ", "servers: [{ name: one, fail_rate: 1, fail_how: hang }, ")
    .replace("[one, two]", "[one]").replace("requests: 1", "errors: 0")
    .replace("rate: 50", "rate: 50, connections: 1, timeout: 200ms");
  const { text } = await rehearsed(hanging);
  assert.match(
    text,
    /the load is over: 0 answers, \d errors? \(\d timed out\), \d+ due and without a free connection/,
  );
  assert.match(text, /^errors +0 +20 +FAILS$/m);
});

onEachEngine("a rehearsal that is stopped in its first run makes no second one", async (engine) => {
  const stop = new AbortController();
  const variants = "variants: { a: {}, b: { pools: { web: { algorithm: random } } } }\n";
  const { why, text } = await rehearsed(plan(engine, variants), {
    stop: stop.signal,
    load: (loadPlan, name, options) => {
      stop.abort();
      return loadThreads(loadPlan.addresses[0], loadPlan, name)
        .then((threads) => runLoad({ plan: loadPlan, engine: name, workers: 1, ...threads, ...options }));
    },
  });
  assert.match(why ?? "", /^stopped after \w+, before its end$/);
  assert.match(text, /^a\n[^]*^a: requests +at least 1 +0 +FAILS$/m);
  assert.doesNotMatch(text, /^b/m);
});

onEachEngine(
  "a server is noticed to be gone by the pool under load, whatever another pool finds",
  async (engine) => {
    const noticed = async (loaded: string): Promise<string> => {
      const { text } = await rehearsed(`servers: [one, two]
balancer:
  engine: ${engine}
  workers: 1
  listeners:
    - { name: slow, listen: 127.0.0.1:0, pool: slow }
    - { name: fast, listen: 127.0.0.1:0, pool: fast }
    - { name: alone, listen: 127.0.0.1:0, pool: alone }
  pools:
    alone: { backends: [one], health_check: { type: tcp, interval: 1m, timeout: 1s } }
    slow: { backends: [one, two], health_check: { type: tcp, interval: 1m, timeout: 1s } }
    fast: { backends: [two], health_check: { type: tcp, interval: 100ms, timeout: 1s, fall: 1 } }
load: { listener: ${loaded}, duration: 1s, connections: 2, rate: 20 }
events: [{ at: 100ms, down: two }]
expect: { noticed: <1m }
`);
      assert.match(text, /balancer: two is down: /);
      return /^noticed +<1m +(.+)$/m.exec(text)?.[1] ?? text;
    };
    assert.match(await noticed("fast"), /ms +holds$/);
    assert.match(await noticed("slow"), /^never +FAILS$/);
    assert.match(await noticed("alone"), /^nothing to measure +FAILS$/);
  },
);

onEachEngine(
  "a server that a reload takes out of the pool under load is waited for no longer",
  async (engine) => {
    const { why, text } = await rehearsed(
      plan(
        engine,
        `events:
  - { at: 50ms, down: one }
  - { at: 100ms, reload: { pools: { web: { backends: [two] } } } }
`,
      ).replace("interval: 100ms", "interval: 1m").replace("requests: 1", "noticed: <1m"),
    );
    assert.equal(why, undefined, text);
    assert.doesNotMatch(text, /one is down/);
  },
);

Deno.test("a rehearsal that cannot be started says why, and leaves nothing behind", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${taken.addr.port}`;
  const server = plan("runtime").replace("name: two", `name: two, listen: "${address}"`);
  await assert.rejects(rehearsed(server), RunError);
  const listener = plan("runtime").replace("listen: 127.0.0.1:0", `listen: "${address}"`);
  await assert.rejects(rehearsed(listener), RunError);
  const failing = rehearsed(plan("runtime"), { load: () => Promise.reject(new RunError("no load")) });
  await assert.rejects(failing, new RunError("no load"));
});
