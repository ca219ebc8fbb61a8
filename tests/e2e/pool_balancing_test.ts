// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Who is served by whom while every backend is well. */

import assert from "node:assert/strict";
import { type AlgorithmName, ALGORITHMS } from "../../lib/config/pool_schema.ts";
import { startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";

/** The backends of so many visits, one visit after the other. */
async function visits(port: number, count: number): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < count; i++) names.push(await visit(port));
  return names;
}

onEachEngine(
  "weight: 5, 1, 1 serve one client's connections in the order a a b a c a a, over several workers",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, weight: 5 }, b.member, c.member],
    });
    assert.equal((await visits(balancer.port, 21)).join(""), "aabacaa".repeat(3));
  },
);

onEachEngine(
  "balanced: 700 connections, 50 at a time over 4 workers, are shared exactly 500, 100, 100",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, weight: 5 }, b.member, c.member],
      workers: 4,
    });
    await Promise.all(Array.from({ length: 50 }, () => visits(balancer.port, 14)));
    assert.deepEqual([a.served, b.served, c.served], [500, 100, 100]);
    const records = await balancer.waitForRecords(700);
    assert.ok(records.every((record) => record.end === "done" && record.attempts === 1));
  },
);

onEachEngine(
  "a backend of weight 0 is not served by any algorithm, not even when all others refuse",
  async (engine) => {
    for (const algorithm of ALGORITHMS) {
      await using idle = startNamedBackend("idle");
      await using busy = startNamedBackend("busy");
      await using balancer = await startTestBalancer({
        engine,
        backends: [{ ...idle.member, weight: 0 }, busy.member],
        pool: { algorithm },
        workers: 1,
      });
      assert.deepEqual(await visits(balancer.port, 3), ["busy", "busy", "busy"], algorithm);
      await busy.goDown();
      assert.equal(await visit(balancer.port), "", algorithm);
      assert.equal(idle.served, 0, algorithm);
    }
  },
);

/** How many backends see something of 30 visits of one client. */
const expected: Record<AlgorithmName, number> = {
  round_robin: 3,
  least_connections: 3,
  random_two: 3,
  random: 3,
  first: 1,
  maglev: 1,
};

for (const [algorithm, backends] of Object.entries(expected)) {
  onEachEngine(
    `${algorithm} serves one client's 30 connections from ${backends} of 3 backends`,
    async (engine) => {
      await using a = startNamedBackend("a");
      await using b = startNamedBackend("b");
      await using c = startNamedBackend("c");
      await using balancer = await startTestBalancer({
        engine,
        backends: [a.member, b.member, c.member],
        pool: { algorithm },
      });
      const names = await visits(balancer.port, 30);
      assert.equal(new Set(names).size, backends, names.join(" "));
      assert.ok(names.every((name) => ["a", "b", "c"].includes(name)), names.join(" "));
      if (algorithm === "first") assert.equal(names[0], "a");
      if (algorithm === "round_robin") assert.equal(names.join(""), "abc".repeat(10));
    },
  );
}
