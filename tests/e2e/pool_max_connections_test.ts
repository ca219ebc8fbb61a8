// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** max_connections of backends: never one session more, and nobody sent away while there is room. */

import assert from "node:assert/strict";
import { ALGORITHMS } from "../../lib/config/pool_schema.ts";
import { enter, type Guest, startNamedBackend, visit } from "../support/backend.ts";
import { localPort, startTestBalancer, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";

function enterAtOnce(port: number, count: number): Promise<Guest[]> {
  return Promise.all(Array.from({ length: count }, () => enter(port)));
}

function leave(guests: readonly Guest[]): void {
  for (const guest of guests) guest.conn.close();
}

onEachEngine(
  "limits of 3, 2 and 5 are filled exactly by 60 clients at once over 4 workers, and again when all have left",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [
        { ...a.member, max_connections: 3 },
        { ...b.member, max_connections: 2 },
        { ...c.member, max_connections: 5 },
      ],
      workers: 4,
    });
    for (let round = 1; round <= 2; round++) {
      const guests = await enterAtOnce(balancer.port, 60);
      const names = guests.map((guest) => guest.name).sort().join("");
      assert.equal(names, "aaabbccccc", `round ${round}`);
      assert.deepEqual([a.active, b.active, c.active], [3, 2, 5]);
      leave(guests);
      const records = (await balancer.waitForRecords(60 * round)).slice(60 * (round - 1));
      const refused = records.filter((record) => record.end === "no_backend");
      assert.equal(refused.length, 50);
      assert.ok(refused.every((record) => record.attempts === 0 && record.backend === undefined));
      assert.ok(refused.every((record) => record.queue_ms === undefined && record.failed === undefined));
    }
    assert.deepEqual([a.most, b.most, c.most], [3, 2, 5]);
  },
);

onEachEngine(
  "limits hold while 300 sessions come and go, and nobody is sent away while there is room",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, max_connections: 4 }, { ...b.member, max_connections: 3 }],
      workers: 4,
    });
    const coming = async (): Promise<void> => {
      for (let i = 0; i < 30; i++) await visit(balancer.port);
    };
    await Promise.all(Array.from({ length: 10 }, coming));
    const records = await balancer.waitForRecords(300);
    assert.ok(a.most <= 4 && b.most <= 3, `${a.most} and ${b.most} sessions at once`);
    const refused = records.filter((record) => record.end === "no_backend").length;
    assert.equal(a.served + b.served + refused, 300);
    assert.deepEqual([balancer.active(0), balancer.active(1)], [0, 0]);
  },
);

for (const algorithm of ALGORITHMS) {
  onEachEngine(
    `max_connections, all peers: ${algorithm} fills every place, then refuses promptly`,
    async (engine) => {
      await using a = startNamedBackend("a");
      await using b = startNamedBackend("b");
      await using c = startNamedBackend("c");
      await using balancer = await startTestBalancer({
        engine,
        backends: [
          { ...a.member, max_connections: 1, weight: 9 },
          { ...b.member, max_connections: 4 },
          { ...c.member, max_connections: 1, backup: true },
        ],
        pool: { algorithm },
      });
      const guests = await enterAtOnce(balancer.port, 20);
      assert.equal(guests.map((guest) => guest.name).sort().join(""), "abbbbc");
      using late = await enter(balancer.port);
      assert.equal(late.name, "");
      const record = await balancer.recordOf(localPort(late.conn));
      assert.equal(record.end, "no_backend");
      assert.ok(record.duration_ms < 1_000, `refused after ${record.duration_ms} ms`);
      leave(guests);
    },
  );
}

onEachEngine(
  "conn subtraction: whoever leaves makes room for exactly one, at the same backend",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, max_connections: 2 }, { ...b.member, max_connections: 2 }],
    });
    const guests = await enterAtOnce(balancer.port, 4);
    for (const name of ["a", "b", "b", "a"]) {
      const i = guests.findIndex((guest) => guest.name === name);
      leave(guests.splice(i, 1));
      const place = name === "a" ? 0 : 1;
      await until(() => balancer.active(place) === 1, `a place at ${name} is free`);
      const [next, none] = [await enter(balancer.port), await visit(balancer.port)];
      assert.deepEqual([next.name, none], [name, ""]);
      guests.push(next);
    }
    leave(guests);
  },
);

onEachEngine(
  "least_connections with limits: it fills up evenly to the smaller limit, then only where there is room",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, max_connections: 2 }, { ...b.member, max_connections: 4 }],
      pool: { algorithm: "least_connections" },
    });
    const guests: Guest[] = [];
    for (let i = 0; i < 7; i++) guests.push(await enter(balancer.port));
    const names = guests.map((guest) => guest.name);
    assert.equal(names.slice(0, 4).sort().join(""), "aabb");
    assert.deepEqual(names.slice(4), ["b", "b", ""]);
    leave(guests);
  },
);

onEachEngine(
  "hash consistent: while the backend of a client is full maglev takes the next, and then the first again",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a, b, c].map((it) => ({ ...it.member, max_connections: 1 })),
      pool: { algorithm: "maglev" },
      workers: 4,
    });
    const orders: string[] = [];
    for (let round = 1; round <= 3; round++) {
      const guests: Guest[] = [];
      for (let i = 0; i < 4; i++) guests.push(await enter(balancer.port));
      orders.push(guests.map((guest) => guest.name).join());
      leave(guests);
      await balancer.waitForRecords(4 * round);
    }
    assert.match(orders[0] ?? "", /^(?!.*([abc]).*\1)[abc],[abc],[abc],$/);
    assert.deepEqual(new Set(orders), new Set([orders[0]]));
  },
);
