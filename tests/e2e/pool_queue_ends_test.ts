// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The queue of a pool: who does not get a backend, and why. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { enter, enterToReset, type NamedBackend, startNamedBackend } from "../support/backend.ts";
import {
  localPort,
  startTestBalancer,
  type TestBalancer,
  type TestBalancerOptions,
  until,
} from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { asRow } from "../support/rows.ts";

/** A balancer with one place at one backend. */
function startSmall(
  engine: EngineName,
  backend: NamedBackend,
  queue: { size: number; timeout: string },
  options: Partial<TestBalancerOptions> = {},
): Promise<TestBalancer> {
  return startTestBalancer({
    engine,
    backends: [{ ...backend.member, max_connections: 1 }],
    pool: { queue },
    ...options,
  });
}

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

onEachEngine(
  "queue_full: one more than its size is refused promptly, and those who wait are not disturbed",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startSmall(engine, a, { size: 3, timeout: "1m" }, { workers: 4 });
    const holder = await enter(balancer.port);
    const waiting = Array.from({ length: 3 }, async () => {
      using guest = await enter(balancer.port);
      return guest.name;
    });
    await until(() => balancer.queued() === 3, "three wait");
    for (let i = 0; i < 5; i++) {
      using late = await enter(balancer.port);
      assert.equal(late.name, "");
      const record = await balancer.recordOf(localPort(late.conn));
      assert.equal(record.end, "queue_full");
      assert.equal(record.attempts, 0);
      assert.equal(record.backend, undefined);
      assert.equal(record.queue_ms, undefined);
      assert.ok(record.duration_ms < 1_000, `refused after ${record.duration_ms} ms`);
    }
    assert.equal(balancer.queued(), 3);
    holder.conn.close();
    assert.deepEqual(await Promise.all(waiting), ["a", "a", "a"]);
  },
);

onEachEngine(
  "queue_full: of 60 clients at once over 4 workers exactly as many wait as the queue has places",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startSmall(engine, a, { size: 7, timeout: "1m" }, {
      workers: 4,
      shutdownTimeout: "0s",
    });
    const clients = await Promise.all(Array.from({ length: 60 }, () => connect(balancer.port)));
    const records = await balancer.waitForRecords(52);
    assert.deepEqual(new Set(records.map((record) => record.end)), new Set(["queue_full"]));
    assert.equal(balancer.queued(), 7);
    assert.equal(balancer.active(0), 1);
    for (const client of clients) client.close();
  },
);

onEachEngine(
  "queue_timeout: whoever waited too long is closed, and the next one can wait in his place",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startSmall(engine, a, { size: 1, timeout: "300ms" });
    const holder = await enter(balancer.port);
    {
      using late = await enter(balancer.port);
      assert.equal(late.name, "");
      const record = await balancer.recordOf(localPort(late.conn));
      assert.equal(record.end, "queue_timeout");
      assert.ok((record.queue_ms ?? 0) > 290, `waited for ${record.queue_ms} ms`);
      assert.equal(record.attempts, 0);
    }
    const next = enter(balancer.port);
    await until(() => balancer.queued() === 1, "the next one waits");
    holder.conn.close();
    const guest = await next;
    assert.equal(guest.name, "a");
    guest.conn.close();
  },
);

onEachEngine(
  "a client that resets while it waits leaves its place, and the slot goes to the next",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startSmall(engine, a, { size: 2, timeout: "1m" });
    const holder = await enter(balancer.port);
    const leaving = await enterToReset(balancer.port);
    await until(() => balancer.queued() === 1, "the first waits");
    const second = enter(balancer.port);
    await until(() => balancer.queued() === 2, "the second waits");
    await leaving.reset();
    const record = await balancer.recordOf(leaving.port);
    assert.equal(record.end, "client_reset");
    assert.equal(record.attempts, 0);
    assert.ok(record.queue_ms !== undefined);
    const third = enter(balancer.port);
    await until(() => balancer.queued() === 2, "the third waits in its place");
    holder.conn.close();
    for (const entering of [second, third]) {
      const guest = await entering;
      assert.equal(guest.name, "a");
      guest.conn.close();
    }
    assert.equal(a.served, 3);
  },
);

onEachEngine("shutdown while somebody waits: he is still served when there is time", async (engine) => {
  await using a = startNamedBackend("a");
  await using balancer = await startSmall(engine, a, { size: 1, timeout: "1m" }, { shutdownTimeout: "1m" });
  const holder = await enter(balancer.port);
  const entering = enter(balancer.port);
  await until(() => balancer.queued() === 1, "the second waits");
  const stopped = balancer.stop();
  holder.conn.close();
  const guest = await entering;
  assert.equal(guest.name, "a");
  guest.conn.close();
  assert.equal(await stopped, 0);
  assert.deepEqual(balancer.records().map((record) => record.end), ["done", "done"]);
});

onEachEngine("shutdown while somebody waits: he is closed at the shutdown timeout", async (engine) => {
  await using a = startNamedBackend("a");
  // With several workers the place of one that is closed may go to another that is not closed yet.
  await using balancer = await startSmall(engine, a, { size: 1, timeout: "1m" }, {
    shutdownTimeout: "200ms",
    workers: 1,
  });
  using _holder = await enter(balancer.port);
  const entering = enter(balancer.port);
  await until(() => balancer.queued() === 1, "the second waits");
  assert.equal(await balancer.stop(), 2);
  using guest = await entering;
  assert.equal(guest.name, "");
  assert.equal(a.served, 1);
  assert.deepEqual(balancer.records().map((record) => record.end), ["shutdown", "shutdown"]);
  assert.deepEqual([balancer.queued(), balancer.active(0)], [0, 0]);
});

onEachEngine("max_session_duration runs while a session waits, idle_timeout does not", async (engine) => {
  await using a = startNamedBackend("a");
  await using balancer = await startSmall(engine, a, { size: 1, timeout: "1m" }, {
    listener: { max_session_duration: "400ms", idle_timeout: "100ms" },
  });
  // A session in the only place would end at the same time; this one holds it from outside.
  const place = balancer.balancer.plan.pools[0]?.backends[0]?.row ?? asRow<"backend">(-1);
  new Ledger(balancer.balancer.scoreboard).take(place, 0);
  using guest = await enter(balancer.port);
  assert.equal(guest.name, "");
  const record = await balancer.recordOf(localPort(guest.conn));
  assert.equal(record.end, "max_duration");
  assert.equal(record.attempts, 0);
  assert.ok((record.queue_ms ?? 0) >= 300, `waited for ${record.queue_ms} ms`);
  assert.equal(balancer.queued(), 0);
});
