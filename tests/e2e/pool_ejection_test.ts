// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Outlier detection: backends that sessions fail to reach are left out for a while. */

import assert from "node:assert/strict";
import {
  enterToReset,
  startBackend,
  startNamedBackend,
  startResettingBackend,
  startSilentBackend,
  visit,
} from "../support/backend.ts";
import { localPort, startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { readAll } from "../support/bytes.ts";
import { refusedPort } from "../support/ports.ts";

function ejected(balancer: TestBalancer): unknown[] {
  return balancer.log.events.filter((it) => it.event === "backend_ejected").map((it) => it.fields.backend);
}

async function visits(port: number, count: number): Promise<string> {
  let names = "";
  for (let i = 0; i < count; i++) names += await visit(port);
  return names;
}

onEachEngine(
  "dial failures in a row eject a backend, and it returns after the ejection time",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member, b.member],
      pool: { outlier_detection: { consecutive_failures: 3, ejection_time: "1s" } },
    });
    await b.goDown();
    assert.equal(await visits(balancer.port, 6), "aaaaaa");
    const { level, fields } = await balancer.log.waitFor("backend_ejected");
    assert.equal(level, "warning");
    assert.deepEqual([fields.pool, fields.backend], ["web", "b"]);
    const forMs = Number(fields.for_ms);
    // It is a difference of two clock readings, rounded up.
    assert.ok(forMs === 1_000 || forMs === 1_001, `ejected for ${forMs} ms`);
    assert.match(String(fields.reason), /\w/);
    // Nobody dials it meanwhile.
    const before = (await balancer.waitForRecords(6)).length;
    b.comeUp();
    assert.equal(await visits(balancer.port, 4), "aaaa");
    const during = (await balancer.waitForRecords(before + 4)).slice(before);
    assert.ok(during.every((record) => record.attempts === 1));
    const returned = await balancer.log.waitFor("backend_returned");
    assert.deepEqual([returned.fields.pool, returned.fields.backend], ["web", "b"]);
    assert.equal((await visits(balancer.port, 8)).replaceAll("a", ""), "bbbb");
    assert.deepEqual(ejected(balancer), ["b"]);
  },
);

onEachEngine("failures of all workers count together", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({
    engine,
    backends: [a.member, b.member],
    pool: { algorithm: "first", outlier_detection: { consecutive_failures: 40, ejection_time: "1m" } },
    workers: 4,
  });
  await a.goDown();
  const names = await Promise.all(Array.from({ length: 40 }, () => visit(balancer.port)));
  assert.deepEqual(names, Array(40).fill("b"));
  await balancer.log.waitFor("backend_ejected");
  await visit(balancer.port);
  const last = (await balancer.waitForRecords(41)).filter((record) => record.attempts === 1);
  assert.equal(last.length, 1);
});

onEachEngine("resets before the first byte eject a backend as well", async (engine) => {
  await using resetting = await startResettingBackend("connected");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({
    engine,
    backends: [{ name: "resetting", address: resetting.address }, b.member],
    pool: { outlier_detection: { consecutive_failures: 3, ejection_time: "1m" } },
  });
  for (let i = 0; i < 6; i++) await visit(balancer.port);
  await balancer.log.waitFor("backend_ejected", (fields) => fields.backend === "resetting");
  assert.equal(await visits(balancer.port, 6), "bbbbbb");
});

onEachEngine(
  "an answer in between begins the count anew, and without any other backend the last one is ejected too",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({
      engine,
      backends: [a.member],
      pool: {
        retries: 0,
        outlier_detection: { consecutive_failures: 3, ejection_time: "1s", max_ejected_percent: 100 },
      },
    });
    for (let round = 0; round < 4; round++) {
      await a.goDown();
      assert.equal(await visits(balancer.port, 2), "");
      a.comeUp();
      assert.equal(await visit(balancer.port), "a");
    }
    assert.deepEqual(ejected(balancer), []);
    await a.goDown();
    assert.equal(await visits(balancer.port, 3), "");
    await balancer.log.waitFor("backend_ejected");
    a.comeUp();
    assert.equal(await visit(balancer.port), "");
    await balancer.log.waitFor("session", (fields) => fields.end === "no_backend");
    await balancer.log.waitFor("backend_returned");
    assert.equal(await visit(balancer.port), "a");
  },
);

for (const [percent, most] of [[39, 1], [40, 2], [100, 4]] as const) {
  onEachEngine(
    `of five backends, four of which refuse, ${most} are ejected with max_ejected_percent ${percent}`,
    async (engine) => {
      await using good = startNamedBackend("good");
      const refusing = Array.from({ length: 4 }, () => `127.0.0.1:${refusedPort()}`);
      await using balancer = await startTestBalancer({
        engine,
        backends: [...refusing, good.member],
        pool: {
          retries: 4,
          outlier_detection: { consecutive_failures: 1, ejection_time: "1m", max_ejected_percent: percent },
        },
      });
      for (let i = 0; i < 10; i++) assert.equal(await visit(balancer.port), "good");
      await balancer.waitForRecords(10);
      assert.equal(new Set(ejected(balancer)).size, most);
      assert.equal(ejected(balancer).length, most);
      // The others go on being dialled.
      await visit(balancer.port);
      const isDialled = (await balancer.waitForRecords(11)).at(-1)?.failed?.length ?? 0;
      assert.ok(isDialled <= 4 - most, `${isDialled} attempts in vain`);
    },
  );
}

onEachEngine(
  "clients that leave while a backend is dialled are no failures of the backend",
  async (engine) => {
    const silent = await startSilentBackend();
    await using balancer = await startTestBalancer({
      engine,
      backends: [silent.address],
      pool: {
        dial_timeout: "1m",
        outlier_detection: { consecutive_failures: 1, ejection_time: "1m", max_ejected_percent: 100 },
      },
    });
    for (let i = 0; i < 3; i++) {
      const client = await enterToReset(balancer.port);
      await until(() => balancer.active(0) === 1, "it is dialled");
      await client.reset();
      assert.equal((await balancer.recordOf(client.port)).end, "client_reset");
    }
    assert.deepEqual(ejected(balancer), []);
    await balancer.stop();
    silent.stop();
  },
);

onEachEngine(
  "sessions that end before the backend has answered, for another reason, do not count against it",
  async (engine) => {
    const silent = startBackend(async (conn) => void await readAll(conn).catch(() => {}));
    await using balancer = await startTestBalancer({
      engine,
      backends: [silent.address],
      listener: { idle_timeout: "100ms" },
      pool: { outlier_detection: { consecutive_failures: 1, max_ejected_percent: 100 } },
    });
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    assert.deepEqual(await readUntilCut(conn, engine), new Uint8Array());
    assert.equal((await balancer.recordOf(localPort(conn))).end, "idle_timeout");
    using next = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    assert.deepEqual(await readUntilCut(next, engine), new Uint8Array());
    assert.equal((await balancer.recordOf(localPort(next))).backend, silent.address);
    assert.deepEqual(balancer.log.events.filter((it) => it.event === "backend_ejected"), []);
    await silent.stop();
  },
);
