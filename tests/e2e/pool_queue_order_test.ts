// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The queue of a pool: who waits for a free backend gets one, in the order of arrival. */

import assert from "node:assert/strict";
import { enter, startNamedBackend, visit } from "../support/backend.ts";
import { localPort, startTestBalancer, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";

onEachEngine(
  "sessions that wait are served in the order in which they came, over four workers",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, max_connections: 1 }],
      pool: { queue: { size: 100, timeout: "1m" } },
      workers: 4,
    });
    const holder = await enter(balancer.port);
    const order: number[] = [];
    const waiting: Promise<void>[] = [];
    for (let i = 0; i < 40; i++) {
      waiting.push(
        enter(balancer.port).then((guest) => {
          order.push(i);
          guest.conn.close();
        }),
      );
      await until(() => balancer.queued() === i + 1, `client ${i} waits`);
    }
    holder.conn.close();
    await Promise.all(waiting);
    assert.deepEqual(order, Array.from({ length: 40 }, (_, i) => i));
    const records = await balancer.waitForRecords(41);
    assert.ok(records.every((record) => record.end === "done" && record.attempts === 1));
    assert.ok(
      new Set(records.map((record) => record.id.split("-")[1])).size > 1,
      "several workers took part",
    );
    assert.equal(a.most, 1);
  },
);

onEachEngine(
  "300 clients come and go through 3 places: all are served, none at the same time as too many others",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, max_connections: 2 }, { ...b.member, max_connections: 1 }],
      pool: { queue: { size: 300, timeout: "1m" } },
      workers: 4,
    });
    const names = await Promise.all(Array.from({ length: 300 }, () => visit(balancer.port)));
    assert.equal(names.filter((name) => name === "").length, 0);
    assert.ok(a.most <= 2 && b.most <= 1, `${a.most} and ${b.most} sessions at once`);
    const records = await balancer.waitForRecords(300);
    assert.ok(records.every((record) => record.end === "done"));
    assert.deepEqual([balancer.active(0), balancer.active(1), balancer.queued()], [0, 0, 0]);
  },
);

onEachEngine(
  "the record says how long a session waited, apart from its dial, and nothing of one that did not",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...a.member, max_connections: 1 }],
      pool: { queue: { size: 1, timeout: "1m" } },
    });
    const holder = await enter(balancer.port);
    const entering = enter(balancer.port);
    await until(() => balancer.queued() === 1, "the second waits");
    const startedMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const heldMs = performance.now() - startedMs;
    holder.conn.close();
    const guest = await entering;
    guest.conn.close();
    const [first, second] = [
      await balancer.recordOf(localPort(holder.conn)),
      await balancer.recordOf(localPort(guest.conn)),
    ];
    assert.equal(first.queue_ms, undefined);
    assert.ok((second.queue_ms ?? 0) >= heldMs - 50, `waited for ${second.queue_ms} ms of ${heldMs}`);
    assert.ok(second.duration_ms >= (second.queue_ms ?? 0));
    assert.ok(second.dial_ms < heldMs, `dialled for ${second.dial_ms} ms`);
  },
);

onEachEngine("a session whose first backend refuses waits for another one that is full", async (engine) => {
  await using gone = startNamedBackend("gone");
  await using full = startNamedBackend("full");
  await using balancer = await startTestBalancer({
    engine,
    backends: [gone.member, { ...full.member, max_connections: 1 }],
    pool: { algorithm: "first", queue: { size: 5, timeout: "1m" } },
  });
  await gone.goDown();
  const holder = await enter(balancer.port);
  assert.equal(holder.name, "full");
  const entering = enter(balancer.port);
  await until(() => balancer.queued() === 1, "the second waits");
  holder.conn.close();
  const guest = await entering;
  assert.equal(guest.name, "full");
  guest.conn.close();
  const record = await balancer.recordOf(localPort(guest.conn));
  assert.deepEqual(record.failed, ["gone: connection refused"]);
  assert.equal(record.attempts, 2);
  assert.ok(record.queue_ms !== undefined);
});
