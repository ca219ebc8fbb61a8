// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Backups, and backends that come back without anybody asking about them. */

import assert from "node:assert/strict";
import { enter, startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";

async function visits(port: number, count: number): Promise<string> {
  let names = "";
  for (let i = 0; i < count; i++) names += await visit(port);
  return names;
}

onEachEngine("backup: it is used only while all others refuse, and no longer", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using c = startNamedBackend("c");
  await using balancer = await startTestBalancer({
    engine,
    backends: [{ ...c.member, backup: true }, a.member, b.member],
  });
  assert.match(await visits(balancer.port, 20), /^[ab]{20}$/);
  await a.goDown();
  assert.equal(await visits(balancer.port, 10), "b".repeat(10));
  await b.goDown();
  assert.equal(await visits(balancer.port, 10), "c".repeat(10));
  const records = (await balancer.waitForRecords(40)).filter((record) => record.backend === "c");
  assert.ok(records.every((record) => record.attempts === 3 && record.failed?.length === 2));
  b.comeUp();
  assert.equal(await visits(balancer.port, 10), "b".repeat(10));
});

onEachEngine("backup: several share the sessions among themselves by weight", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using c = startNamedBackend("c");
  await using balancer = await startTestBalancer({
    engine,
    backends: [a.member, { ...b.member, backup: true, weight: 3 }, { ...c.member, backup: true }],
    pool: { health_check: { interval: "100ms", fall: 1 } },
  });
  await a.goDown();
  await balancer.log.waitFor("backend_down");
  const names = await visits(balancer.port, 40);
  assert.equal(names.replaceAll("b", ""), "c".repeat(10));
  assert.equal(names.length, 40);
});

onEachEngine("backup: it is used while all others are full, and no longer", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using c = startNamedBackend("c");
  await using balancer = await startTestBalancer({
    engine,
    backends: [
      { ...a.member, max_connections: 1 },
      { ...b.member, max_connections: 1 },
      { ...c.member, backup: true },
    ],
  });
  using first = await enter(balancer.port);
  assert.equal(first.name, "a");
  {
    using second = await enter(balancer.port);
    assert.equal(second.name, "b");
    assert.equal(await visits(balancer.port, 10), "c".repeat(10));
  }
  await balancer.log.waitFor("session", (fields) => fields.backend === "b");
  assert.equal(await visit(balancer.port), "b");
});

onEachEngine(
  "failures and recovery: a backend that refuses loses its sessions to the others, and has its turns again at once",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({ engine, backends: [a.member, b.member, c.member] });
    assert.equal(await visits(balancer.port, 6), "abcabc");
    await b.goDown();
    const names = await visits(balancer.port, 60);
    assert.equal(names.replaceAll("a", "").replaceAll("c", ""), "");
    assert.equal(names.length, 60);
    b.comeUp();
    assert.equal([...await visits(balancer.port, 30)].filter((name) => name === "b").length, 10);
  },
);
