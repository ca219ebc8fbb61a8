// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Pools whose backends come, go and move while their workers stay. */

import assert from "node:assert/strict";
import type { BackendRow } from "../../lib/pool/row.ts";
import { enter, type NamedBackend, startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, testConfig, until } from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { readAll, text } from "../support/bytes.ts";
import { operationsOf } from "../support/operations.ts";

/** All test backends are within. */
const WITHIN = ["127.0.0.0/8"];

/** Puts these backends into force, and says what became of the workers. */
function become(
  { port, balancer }: TestBalancer,
  backends: readonly (Record<string, unknown> | string)[],
  pool: Record<string, unknown> = {},
): Promise<"kept" | "replaced"> {
  const { admin, workers } = balancer.config;
  const config = testConfig({
    backends,
    pool: { within: WITHIN, ...pool },
    listener: { listen: `127.0.0.1:${port}` },
  });
  return balancer.reload({ ...config, admin, workers });
}

function rowOf({ balancer }: TestBalancer, name: string): BackendRow {
  const backends = balancer.plan.pools.flatMap((pool) => pool.backends);
  return backends.find((it) => it.name === name)?.row ?? assert.fail(`no backend ${name}`);
}

/** Who answers so many visits, each name once. */
async function answers(port: number, visits = 4): Promise<string[]> {
  const names = new Set<string>();
  for (let i = 0; i < visits; i++) names.add(await visit(port));
  return [...names].sort();
}

onEachEngine(
  "backends that come within the pool's subnets, move and go again need no new workers",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member],
      pool: { within: WITHIN },
    });
    assert.equal(await become(balancer, [a.member, b.member]), "kept");
    assert.deepEqual(await answers(balancer.port), ["a", "b"]);
    assert.equal(await become(balancer, [b.member]), "kept");
    assert.deepEqual(await answers(balancer.port), ["b"]);
    assert.equal(await become(balancer, [{ ...b.member, address: a.member.address }]), "kept");
    assert.deepEqual(await answers(balancer.port), ["a"]);
    assert.equal(await become(balancer, [{ ...b.member, backup: true }, a.member]), "kept");
    assert.deepEqual(await answers(balancer.port), ["a"]);
    assert.equal(balancer.balancer.generations.started, 1);
  },
);

onEachEngine(
  "without subnets a backend may go and come back, but another one needs new workers",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({ engine, backends: [a.member, b.member] });
    assert.equal(await become(balancer, [a.member], { within: [] }), "kept");
    assert.deepEqual(await answers(balancer.port), ["a"]);
    assert.equal(await become(balancer, [a.member, b.member], { within: [] }), "kept");
    assert.deepEqual(await answers(balancer.port), ["a", "b"]);
    assert.equal(await become(balancer, [a.member, c.member], { within: [] }), "replaced");
    assert.deepEqual(await answers(balancer.port), ["a", "c"]);
    assert.equal(
      await become(balancer, [a.member, b.member], { within: [] }),
      "replaced",
      "no longer permitted",
    );
    assert.deepEqual(await answers(balancer.port), ["a", "b"]);
  },
);

onEachEngine("a change of the subnets themselves needs new workers, which alone obey it", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({ engine, backends: [a.member] });
  assert.equal(await become(balancer, [a.member]), "replaced");
  assert.equal(await become(balancer, [a.member, b.member]), "kept");
  assert.equal(await become(balancer, [a.member, b.member], { within: ["127.0.0.0/9"] }), "replaced");
});

onEachEngine(
  "a backend that is removed and returns while its session goes on has it, and is as the operator wanted it",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [b.member],
      pool: { within: WITHIN },
    });
    const operations = operationsOf(balancer.balancer);
    const row = rowOf(balancer, "b");
    const held = await enter(balancer.port);
    operations.steer("web", "b", { do: "disable" });

    assert.equal(await become(balancer, [a.member]), "kept");
    const leaving = operations.status().pools[0]?.backends.find((it) => it.leaving);
    assert.deepEqual([leaving?.name, leaving?.state, leaving?.active], ["b", "leaving", 1]);
    assert.deepEqual(await answers(balancer.port), ["a"]);

    assert.equal(await become(balancer, [a.member, { ...b.member, max_connections: 2 }]), "kept");
    assert.equal(rowOf(balancer, "b"), row, "its row was not given to another");
    const returned = operations.status().pools[0]?.backends.find((it) => it.name === "b");
    assert.deepEqual([returned?.state, returned?.active, returned?.leaving], ["disabled", 1, false]);
    assert.deepEqual(await answers(balancer.port), ["a"]);
    operations.steer("web", "b", { do: "enable" });
    assert.deepEqual(await answers(balancer.port), ["a", "b"]);

    await held.conn.closeWrite();
    assert.equal(text(await readAll(held.conn)), "");
    held.conn.close();
    await until(() => balancer.balancer.scoreboard.count(row) === 0, "its slot is free");
    assert.equal(balancer.balancer.generations.started, 1);
    operations.stop();
  },
);

onEachEngine(
  "the row of a removed backend is nobody else's until its last session has ended, and then it is",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({
      engine,
      backends: [b.member],
      pool: { within: WITHIN },
    });
    const row = rowOf(balancer, "b");
    const held = await enter(balancer.port);
    await become(balancer, [a.member]);
    await become(balancer, [a.member, c.member]);
    assert.notEqual(rowOf(balancer, "c"), row);
    assert.equal(balancer.balancer.plansInUse.backendAt(row)?.name, "b");
    held.conn.close();
    await until(() => balancer.balancer.plansInUse.backendAt(row) === undefined, "nobody has it");
    await become(balancer, [a.member, c.member, { ...b.member, name: "d" }]);
    assert.equal(rowOf(balancer, "d"), row);
    assert.equal(balancer.balancer.scoreboard.facts(row).isUp, true);
    assert.deepEqual(await answers(balancer.port, 6), ["a", "b", "c"]);
  },
);

onEachEngine(
  "a session of an older generation keeps the row, however often its backend comes and goes meanwhile",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [b.member],
      pool: { within: WITHIN },
    });
    const row = rowOf(balancer, "b");
    const { scoreboard, generations } = balancer.balancer;
    const held = await enter(balancer.port);
    assert.equal(await become(balancer, [a.member]), "kept", "it leaves");
    const other = { within: ["127.0.0.0/9"] };
    assert.equal(
      await become(balancer, [a.member, b.member], other),
      "replaced",
      "it is back in new workers",
    );
    assert.equal(await become(balancer, [a.member]), "replaced", "those are gone again, and it with them");
    await until(() => generations.all.length === 2, "the workers in between have ended");
    assert.deepEqual([scoreboard.count(row), balancer.balancer.plansInUse.backendAt(row)?.name], [1, "b"]);
    held.conn.close();
    await until(() => balancer.balancer.plansInUse.backendAt(row) === undefined, "nobody has it");
    assert.equal(scoreboard.count(row), 0);
  },
);

onEachEngine(
  "sessions of a removed backend are killed on demand, and their totals do not go back",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [b.member],
      pool: { within: WITHIN },
      tallySessions: true,
    });
    const operations = operationsOf(balancer.balancer);
    const sessions = (backend: string): number =>
      operations.counts().totals.filter((it) => it.backend === backend)
        .flatMap(({ ends }) => Object.values(ends)).reduce((sum, count) => sum + count, 0);
    const row = rowOf(balancer, "b");
    const held = await enter(balancer.port);
    assert.equal(await become(balancer, [a.member]), "kept");
    assert.equal(operations.steer("web", "b", { do: "kill" }), "b: sessions ended");
    assert.equal(text(await readUntilCut(held.conn, engine)), "");
    held.conn.close();
    await until(() => balancer.balancer.plansInUse.backendAt(row) === undefined, "nobody has its row");
    assert.equal(sessions("b"), 0);
    await until(() => sessions("(removed)") === 1, "its session is counted");
    operations.stop();
  },
);

onEachEngine(
  "a worker that dies with sessions at a removed backend gives back what they held",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [b.member],
      pool: { within: WITHIN },
      workers: 1,
      workerEntry: import.meta.resolve("../support/workers/mortal_member_worker.ts"),
    });
    const row = rowOf(balancer, "b");
    const held = [await enter(balancer.port), await enter(balancer.port)];
    assert.equal(await become(balancer, [a.member]), "kept");
    assert.equal(balancer.balancer.scoreboard.count(row), 2);
    const orders = new BroadcastChannel("mortal_member_worker");
    orders.postMessage("data-plane-0");
    const { fields } = await balancer.log.waitFor("worker_died");
    orders.close();
    assert.equal(fields.sessions, 2);
    assert.equal(balancer.balancer.scoreboard.count(row), 0);
    await until(() => balancer.balancer.plansInUse.backendAt(row) === undefined, "nobody has its row");
    await balancer.log.waitFor("worker_restarted");
    assert.deepEqual(await answers(balancer.port), ["a"], "the new worker knows the members of now");
    for (const { conn } of held) conn.close();
  },
);

onEachEngine(
  "a session that waits in line while members change gets the first slot of those that are there then",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    const pool = { queue: { size: 10, timeout: "1m" } };
    const full = { ...a.member, max_connections: 1 };
    await using balancer = await startTestBalancer({
      engine,
      backends: [full],
      pool: { within: WITHIN, ...pool },
    });
    const holder = await enter(balancer.port);
    const waiting = [enter(balancer.port), enter(balancer.port)];
    await until(() => balancer.queued() === 2, "two wait");
    assert.equal(await become(balancer, [full, { ...b.member, max_connections: 1 }], pool), "kept");
    assert.equal((await Promise.race(waiting)).name, "b");
    assert.equal(balancer.queued(), 1);

    assert.equal(await become(balancer, [{ ...b.member, max_connections: 2 }], pool), "kept");
    assert.deepEqual((await Promise.all(waiting)).map(({ name }) => name), ["b", "b"]);
    assert.equal(a.served, 1, "the removed one got none of them");
    for (const { conn } of [holder, ...await Promise.all(waiting)]) conn.close();
  },
);

onEachEngine("a session in line that has nothing left to wait for is told so", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const pool = { queue: { size: 10, timeout: "1m" } };
  await using balancer = await startTestBalancer({
    engine,
    backends: [{ ...a.member, max_connections: 1 }],
    pool: { within: WITHIN, ...pool },
  });
  const holder = await enter(balancer.port);
  const waiting = enter(balancer.port);
  await until(() => balancer.queued() === 1, "one waits");
  assert.equal(await become(balancer, [{ ...b.member, weight: 0 }], pool), "kept");
  const { name, conn } = await waiting;
  assert.equal(name, "");
  assert.equal(
    (await balancer.recordOf(conn.localAddr.transport === "tcp" ? conn.localAddr.port : 0)).end,
    "no_backend",
  );
  conn.close();
  holder.conn.close();
});

onEachEngine(
  "a hundred changes of members, with a session at each, need no new worker and lose no session",
  async (engine) => {
    const servers: NamedBackend[] = ["p", "q", "r"].map((it) => startNamedBackend(it));
    await using balancer = await startTestBalancer({
      engine,
      backends: [servers[0]?.member ?? assert.fail()],
      pool: { within: WITHIN },
    });
    const guests = [];
    for (let i = 0; i < 100; i++) {
      const { address } = servers[i % 3]?.member ?? assert.fail();
      assert.equal(await become(balancer, [{ name: `member-${i}`, address }]), "kept");
      guests.push(await enter(balancer.port));
      assert.equal(balancer.active(0), 1);
    }
    assert.deepEqual(guests.map(({ name }) => name), Array.from({ length: 100 }, (_, i) => "pqr"[i % 3]));
    assert.equal(balancer.balancer.generations.started, 1);
    assert.equal(balancer.balancer.plansInUse.leaving(balancer.balancer.plan).pools[0]?.backends.length, 99);
    for (const { conn } of guests) {
      await conn.closeWrite();
      assert.equal(text(await readAll(conn)), "");
      conn.close();
    }
    const records = await balancer.waitForRecords(100);
    assert.ok(records.every(({ end }) => end === "done"));
    assert.deepEqual(new Set(records.map(({ backend }) => backend)).size, 100);
    await until(
      () => balancer.balancer.plansInUse.leaving(balancer.balancer.plan).pools.length === 0,
      "none leaves",
    );
    for (const server of servers) await server.goDown();
  },
);
