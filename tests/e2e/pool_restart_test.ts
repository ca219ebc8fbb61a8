/** A backend that is away for a moment, and there is no other. */

import assert from "node:assert/strict";
import { enterToReset, startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, testConfig, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { refusedPort } from "../support/ports.ts";
import { asRow } from "../support/rows.ts";

onEachEngine(
  "the only backend restarts, and sessions that come meanwhile are served when it is back",
  async (engine) => {
    await using only = startNamedBackend("only");
    await using balancer = await startTestBalancer({
      engine,
      backends: [only.member],
      pool: { health_check: { interval: "2s" } },
    });
    const { health, plan } = balancer.balancer;
    // The first check decides alone.
    await until(
      () => (health.of(plan.pools[0]?.backends[0]?.row ?? asRow(-1))?.checks.ok ?? 0) > 0,
      "it was checked",
    );
    await only.goDown();
    const visits = Array.from({ length: 10 }, () => visit(balancer.port));
    await new Promise((resolve) => setTimeout(resolve, 700));
    only.comeUp();
    assert.deepEqual(await Promise.all(visits), Array(10).fill("only"));
    const records = await balancer.waitForRecords(10);
    assert.ok(
      records.every(({ attempts, end }) => attempts > 1 && end === "done"),
      JSON.stringify(records[0]),
    );
    assert.equal(balancer.active(0), 0);
  },
);

onEachEngine(
  "a session that waits to dial again holds no slot, takes another backend that has come, and ends with its client",
  async (engine) => {
    await using good = startNamedBackend("good");
    const bad = { name: "bad", address: `127.0.0.1:${refusedPort()}` };
    await using balancer = await startTestBalancer({
      engine,
      backends: [bad, { ...good.member, weight: 0 }],
      pool: { retries: 20, algorithm: "first" },
    });
    const served = visit(balancer.port);
    const leaving = await enterToReset(balancer.port);
    const { scoreboard, plan } = balancer.balancer;
    await until(
      () => scoreboard.count(plan.listeners[0]?.sessionsRow ?? asRow(0)) === 2,
      "both sessions are in",
    );
    await until(() => balancer.active(0) === 0, "both wait");
    await leaving.reset();
    assert.equal((await balancer.recordOf(leaving.port)).end, "client_reset");
    const config = testConfig({
      backends: [bad, good.member],
      pool: { retries: 20, algorithm: "first" },
      listener: { listen: `127.0.0.1:${balancer.port}` },
    });
    // The same workers go on, with a weight that makes the other backend one to pick.
    assert.equal(await balancer.balancer.reload(config), "kept");
    assert.equal(await served, "good");
  },
);
