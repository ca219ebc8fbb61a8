// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What the first check of a backend decides, and what this machine's own shortage does not. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend, startCheckedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, testConfig, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { bytes, readAll } from "../support/bytes.ts";
import { refusedPort } from "../support/ports.ts";
import { asRow } from "../support/rows.ts";

const SLOW_CHECK = { type: "http", interval: "1m", timeout: "10s", rise: 5, fall: 5 };

onEachEngine(
  "a backend that is not ready is out with its first check, however many its fall asks for",
  async (engine) => {
    await using good = startCheckedBackend("good");
    await using bad = startCheckedBackend("bad");
    bad.isWell = false;
    await using balancer = await startTestBalancer({
      engine,
      backends: [good.member, bad.member],
      pool: { health_check: SLOW_CHECK },
    });
    const { fields } = await balancer.log.waitFor("backend_down");
    assert.deepEqual([fields.backend, fields.reason], ["bad", "HTTP 503"]);
    for (let i = 0; i < 4; i++) assert.match(await visit(balancer.port), /^good/);
  },
);

onEachEngine(
  "initial: down gives no session to a backend before its first check has passed, at the start and after a reload",
  async (engine) => {
    await using good = startCheckedBackend("good");
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const late = startBackend(async (conn) => {
      await conn.read(new Uint8Array(1024));
      asked.resolve();
      await answer.promise;
      await writeAll(conn, bytes("HTTP/1.1 200 OK\r\n\r\n"));
    });
    const pool = { initial: "down", health_check: SLOW_CHECK };
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ name: "late", address: late.address }],
      pool: { ...pool, retries: 0 },
    });
    await asked.promise;
    const down = await balancer.log.waitFor("pool_down");
    assert.equal(down.fields.available, 0);
    assert.equal(await visit(balancer.port), "");
    assert.equal((await balancer.waitForRecords(1))[0]?.end, "no_backend");
    answer.resolve();
    await balancer.log.waitFor("backend_up");
    await balancer.log.waitFor("pool_up");

    // One that a reload adds waits as well; the others stay as they are.
    const config = testConfig({
      backends: [{ name: "late", address: late.address }, good.member, {
        name: "never",
        address: `127.0.0.1:${refusedPort()}`,
      }],
      pool,
      listener: { listen: `127.0.0.1:${balancer.port}` },
    });
    await balancer.balancer.reload(config);
    await balancer.log.waitFor("backend_up", (fields) => fields.backend === "good");
    const { plan, scoreboard, health } = balancer.balancer;
    const states = (): boolean[] =>
      plan.pools[0]?.backends.map(({ row }) => scoreboard.facts(row).isUp) ?? [];
    const never = plan.pools[0]?.backends[2]?.row ?? asRow<"backend">(-1);
    await until(() => (health.of(never)?.checks.failed ?? 0) > 0, "it was checked");
    assert.deepEqual(states(), [true, true, false]);
    await late.stop();
  },
);

onEachEngine("backends that hang hold up no check of another pool", async (engine) => {
  const hung = startBackend(async (conn) => void await readAll(conn));
  await using live = startCheckedBackend("live");
  const config = testConfig({
    backends: [live.member],
    pool: { health_check: { type: "http", interval: "100ms", timeout: "2s", fall: 2 } },
  });
  const { web } = config.pools;
  const dead = testConfig({
    backends: Array.from({ length: 200 }, (_, i) => hung.address.replace("127.0.0.1", `127.0.1.${i + 1}`)),
    pool: { health_check: { type: "http", interval: "5s", timeout: "1m" } },
  }).pools.web;
  assert.ok(web !== undefined && dead !== undefined);
  await using balancer = await startTestBalancer({ engine, backends: [live.member] });
  const listeners = config.listeners.map((it) => ({
    ...it,
    listen: balancer.balancer.config.listeners[0]?.listen ?? it.listen,
  }));
  await balancer.balancer.reload({ ...config, listeners, pools: { dead, web } });
  await until(() => live.checks > 2, "it is checked");
  live.isWell = false;
  const startedMs = performance.now();
  await balancer.log.waitFor("backend_down", (fields) => fields.backend === "live");
  assert.ok(performance.now() - startedMs < 3_000, "it was noticed late");
  await balancer.stop();
  await hung.stop();
});

onEachEngine("a backend hears a good-bye, and its short answer is read to the end", async (engine) => {
  const heard = Promise.withResolvers<string>();
  const backend = startBackend(async (conn) => {
    await writeAll(conn, bytes("220 mail ready\r\n"));
    const buffer = new Uint8Array(64);
    const filled = await conn.read(buffer) ?? 0;
    await writeAll(conn, bytes("221 bye\r\n"));
    const end = await conn.read(buffer.subarray(filled)).catch(() => "reset" as const);
    heard.resolve(`${new TextDecoder().decode(buffer.subarray(0, filled))}${end}`);
  });
  await using _balancer = await startTestBalancer({
    engine,
    backends: [backend.address],
    pool: { health_check: { type: "expect", expect: "220", quit: "QUIT\r\n", interval: "1m" } },
  });
  assert.equal(await heard.promise, "QUIT\r\nnull");
  await backend.stop();
});
