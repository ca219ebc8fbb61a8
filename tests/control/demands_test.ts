import assert from "node:assert/strict";
import { drainTimeoutOf, fileNeeds, recordsOf, watchedPools, workersOf } from "../../lib/control/demands.ts";
import { configSchema } from "../../lib/config/schema.ts";
import { testConfig } from "../support/balancer.ts";
import { Workshop } from "../support/generation.ts";

const BACKENDS = ["127.0.0.1:1", "127.0.0.1:2"];

Deno.test("there are as many workers as the file says, or as the machine has processors", () => {
  const config = testConfig({ backends: BACKENDS, workers: 3 });
  assert.equal(workersOf(config), 3);
  assert.equal(workersOf({ ...config, workers: "auto" }), navigator.hardwareConcurrency);
});

Deno.test("a drain timeout of 0 is none", () => {
  const config = testConfig({ backends: BACKENDS });
  assert.equal(drainTimeoutOf({ ...config, reloadDrainTimeoutMs: 0 }), Infinity);
  assert.equal(drainTimeoutOf({ ...config, reloadDrainTimeoutMs: 5 }), 5);
});

Deno.test("sessions are recorded as the file says, and never where only errors are logged", () => {
  const recorded = (logging: Record<string, unknown>): unknown =>
    recordsOf(testConfig({ backends: BACKENDS, logging }));
  assert.deepEqual([recorded({}), recorded({ sessions: false })], [true, false]);
  assert.equal(recorded({ sessions: "served", level: "warn" }), "served");
  assert.equal(recorded({ sessions: true, level: "error" }), false);
});

Deno.test("open files are needed for all workers and listeners, for checked backends and for the admin side", () => {
  const parsed = configSchema.parse({
    listeners: [
      { name: "one", listen: ":1", pool: "checked", max_connections: 10 },
      { name: "two", listen: ":2", pool: "plain", max_connections: 5 },
    ],
    pools: { checked: { backends: BACKENDS, health_check: {} }, plain: { backends: ["127.0.0.1:3"] } },
    admin: { listen: "127.0.0.1:9901" },
    workers: 4,
  });
  const needs = { workers: 4, listeners: 2, hasAdmin: true, checkedBackends: 2, maxConnections: 15 };
  assert.deepEqual(fileNeeds({ ...parsed, notes: [] }), needs);
  assert.equal(fileNeeds({ ...parsed, notes: [], admin: undefined }).hasAdmin, false);
});

Deno.test("the pools of a plan are watched by the rules of their configuration", async () => {
  const options = { backends: BACKENDS, pool: { slow_start: "7s", health_check: { interval: "3s" } } };
  const plan = await new Workshop().planOf(options);
  const [watched = assert.fail("nothing is watched"), ...others] = watchedPools(plan, testConfig(options));
  assert.deepEqual([others, watched.row, watched.name], [[], plan.pools[0]?.row, "web"]);
  assert.equal(watched.backends, plan.pools[0]?.backends);
  assert.deepEqual([watched.rules.slowStartMs, watched.rules.healthCheck?.intervalMs], [7_000, 3_000]);
});
