// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Picking at random: shares within what chance allows, and no failure that shows. */

import assert from "node:assert/strict";
import { enter, type Guest, startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";

/** The names of so many visits, 20 at a time. */
async function visits(port: number, count: number): Promise<string[]> {
  const names: string[] = [];
  while (names.length < count) {
    names.push(...await Promise.all(Array.from({ length: 20 }, () => visit(port))));
  }
  return names;
}

onEachEngine(
  "random weight: weights 3 and 1 share 600 sessions 3 to 1, as nearly as chance has it",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, weight: 3 }, b.member],
      pool: { algorithm: "random" },
    });
    const names = await visits(balancer.port, 600);
    const count = names.filter((name) => name === "a").length;
    // Six standard deviations of 10.6 to either side.
    assert.ok(386 < count && count < 514, `${count} of 600 sessions`);
  },
);

onEachEngine(
  "random two: 60 sessions that stay are spread over three backends nearly evenly",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member, c.member],
      pool: { algorithm: "random_two" },
      workers: 4,
    });
    const guests = await Promise.all(Array.from({ length: 60 }, () => enter(balancer.port)));
    const counts = [a.active, b.active, c.active];
    // Alone, chance would be off by 8 in one of three cases; with two choices the gap stays small whatever the number.
    assert.ok(counts.every((count) => 14 <= count && count <= 26), counts.join());
    for (const guest of guests) guest.conn.close();
  },
);

for (const algorithm of ["random", "random_two"] as const) {
  onEachEngine(
    `failures: with ${algorithm} and one of three backends refusing, no client notices`,
    async (engine) => {
      await using a = startNamedBackend("a");
      await using b = startNamedBackend("b");
      await using gone = startNamedBackend("gone");
      await using balancer = await startTestBalancer({
        engine,
        backends: [a.member, gone.member, b.member],
        pool: { algorithm, retries: 1 },
      });
      await gone.goDown();
      const names = await visits(balancer.port, 120);
      assert.deepEqual(new Set(names), new Set(["a", "b"]));
      const records = await balancer.waitForRecords(120);
      const retried = records.filter((record) => record.attempts === 2);
      assert.ok(retried.length > 0 && retried.every((record) => record.failed?.length === 1));
    },
  );
}

onEachEngine("max_conns two: random_two finds the last free place, wherever it is", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using c = startNamedBackend("c");
  await using balancer = await startTestBalancer({
    engine,
    backends: [a, b, c].map((it) => ({ ...it.member, max_connections: 2 })),
    pool: { algorithm: "random_two" },
  });
  const guests: Guest[] = [];
  for (let i = 0; i < 6; i++) guests.push(await enter(balancer.port));
  for (let round = 0; round < 10; round++) {
    const [leaving] = guests.splice(round % 6, 1);
    leaving?.conn.close();
    await until(() => balancer.active(0) + balancer.active(1) + balancer.active(2) === 5, "there is a place");
    const next = await enter(balancer.port);
    assert.equal(next.name, leaving?.name);
    guests.push(next);
  }
  for (const guest of guests) guest.conn.close();
});
