// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Fewest sessions first, with those counted that are only being dialled. */

import assert from "node:assert/strict";
import { enter, type Guest, startNamedBackend, startSilentBackend } from "../support/backend.ts";
import { startTestBalancer, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";

const WORKERS = 4;

/** Two workers may look at the same counts at the same moment; so each may add one that another would not have. */
function isNear(count: number, share: number): boolean {
  return Math.abs(count - share) < WORKERS;
}

function enterAtOnce(port: number, count: number): Promise<Guest[]> {
  return Promise.all(Array.from({ length: count }, () => enter(port)));
}

function leave(guests: readonly Guest[]): void {
  for (const guest of guests) guest.conn.close();
}

onEachEngine(
  "no herd: 90 clients that come at once and stay are spread evenly over three backends",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member, c.member],
      pool: { algorithm: "least_connections" },
      workers: WORKERS,
    });
    const guests = await enterAtOnce(balancer.port, 90);
    const counts = [a.active, b.active, c.active];
    assert.ok(counts.every((count) => isNear(count, 30)), counts.join());
    leave(guests);
  },
);

onEachEngine("weights: 80 clients that come at once and stay are spread 3 to 1", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({
    engine,
    backends: [{ ...a.member, weight: 3 }, b.member],
    pool: { algorithm: "least_connections" },
    workers: WORKERS,
  });
  const guests = await enterAtOnce(balancer.port, 80);
  assert.ok(isNear(a.active, 60) && isNear(b.active, 20), `${a.active} and ${b.active}`);
  leave(guests);
});

onEachEngine(
  "no herd: sessions that are still being dialled count, so that a silent backend does not get them all",
  async (engine) => {
    const silent = await startSilentBackend();
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [silent.address, b.member],
      pool: { algorithm: "least_connections", dial_timeout: "1m" },
      workers: WORKERS,
      shutdownTimeout: "0s",
    });
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => Deno.connect({ hostname: "127.0.0.1", port: balancer.port })),
    );
    await until(() => balancer.active(0) + balancer.active(1) === 20, "all have a backend");
    assert.ok(isNear(balancer.active(0), 10), `${balancer.active(0)} at the silent backend`);
    for (const client of clients) client.close();
    await balancer.stop();
    silent.stop();
  },
);

onEachEngine("whoever comes goes where sessions have ended, however the turns stand", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using c = startNamedBackend("c");
  await using balancer = await startTestBalancer({
    engine,
    backends: [a.member, b.member, c.member],
    pool: { algorithm: "least_connections" },
  });
  const guests: Guest[] = [];
  for (let i = 0; i < 12; i++) guests.push(await enter(balancer.port));
  assert.deepEqual([a.active, b.active, c.active], [4, 4, 4]);
  const leaving = guests.filter((guest) => guest.name === "b").slice(1);
  leave(leaving);
  await until(() => balancer.active(1) === 1, "three sessions with b are over");
  const next = [await enter(balancer.port), await enter(balancer.port), await enter(balancer.port)];
  assert.deepEqual(next.map((guest) => guest.name), ["b", "b", "b"]);
  leave([...guests.filter((guest) => !leaving.includes(guest)), ...next]);
});
