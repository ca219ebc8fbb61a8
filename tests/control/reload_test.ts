// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A new configuration while connections come and sessions go on. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { type NamedBackend, startNamedBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancerOptions, testConfig, until } from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { bytes, readExactly, text } from "../support/bytes.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";

function startEcho(): TestBackend {
  return startBackend(async (conn) => {
    const buffer = new Uint8Array(1024);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      await writeAll(conn, buffer.subarray(0, n));
    }
  });
}

async function say(conn: Deno.Conn, word: string): Promise<string> {
  await writeAll(conn, bytes(word));
  return text(await readExactly(conn, word.length));
}

/** The same again with other keys, on the port where the balancer is. */
function again(port: number, options: TestBalancerOptions): ReturnType<typeof testConfig> {
  return testConfig({ ...options, listener: { ...options.listener, listen: `127.0.0.1:${port}` } });
}

onEachEngine(
  "fifty reloads under steady load lose nothing: no connection is refused, reset or cut",
  async (engine) => {
    const backends = [startEcho(), startEcho(), startEcho()];
    const addresses = backends.map((it) => it.address);
    await using balancer = await startTestBalancer({ engine, backends: addresses });
    const { port } = balancer;
    const long = await Promise.all(
      Array.from({ length: 20 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    for (const conn of long) assert.equal(await say(conn, "begin"), "begin");

    let isOver = false;
    let served = 0;
    const load = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        using conn = await Deno.connect({ hostname: "127.0.0.1", port });
        assert.equal(await say(conn, "hello"), "hello");
        served++;
      }
    });
    for (let i = 0; i < 50; i++) {
      // Every other one needs new workers, since a listener changes; the rest only weights.
      const idle = `${600 + Math.floor(i / 2)}s`;
      const weighted = addresses.map((address, j) => ({ address, weight: 1 + (i + j) % 3 }));
      await balancer.balancer.reload(again(port, { backends: weighted, listener: { idle_timeout: idle } }));
      for (const conn of long.slice(0, 5)) assert.equal(await say(conn, "still"), "still");
    }
    isOver = true;
    await Promise.all(load);
    assert.ok(served > 100, `${served} sessions`);
    for (const conn of long) {
      assert.equal(await say(conn, "end"), "end");
      conn.close();
    }
    await balancer.stop();
    const ends = new Set(balancer.records().map((record) => record.end));
    assert.deepEqual([...ends], ["done"]);
    assert.equal(balancer.records().length, served + long.length);
    await Promise.all(backends.map((it) => it.stop()));
  },
);

onEachEngine("what workers can be told while they work needs no new ones", async (engine) => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  const options = (pool: Record<string, unknown>, weight = 1): TestBalancerOptions => ({
    backends: [a.member, { ...b.member, weight, max_connections: weight }],
    pool,
  });
  await using balancer = await startTestBalancer({ ...options({}), engine });
  const { port } = balancer;
  const changes: [TestBalancerOptions, "kept" | "replaced"][] = [
    [options({}), "kept"],
    [options({}, 5), "kept"],
    [options({ retries: 0, dial_timeout: "1s", when_all_down: "ignore_health", slow_start: "1s" }), "kept"],
    [options({ outlier_detection: { consecutive_failures: 3 }, on_backend_down: "close" }), "kept"],
    [options({ health_check: { interval: "100ms" } }), "kept"],
    [options({ algorithm: "random" }), "replaced"],
    [{ ...options({ algorithm: "random" }), workers: 1 }, "replaced"],
  ];
  for (const [change, workers] of changes) {
    assert.equal(await balancer.balancer.reload(again(port, change)), workers, JSON.stringify(change));
  }
});

onEachEngine(
  "a backend that stays keeps its sessions and its health, one that goes is drained, a new one is used",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using b = startNamedBackend("b");
    await using c = startNamedBackend("c");
    await using balancer = await startTestBalancer({ engine, backends: [a.member, b.member] });
    const { port } = balancer;
    const names = async (count: number, hold = false): Promise<[string, Deno.Conn][]> => {
      const found: [string, Deno.Conn][] = [];
      for (let i = 0; i < count; i++) {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port });
        found.push([text(await readExactly(conn, 1)), conn]);
        if (!hold) conn.close();
      }
      return found;
    };
    const held = await names(4, true);
    const [pool = assert.fail()] = balancer.balancer.plan.pools;
    const [{ row } = assert.fail()] = pool.backends;
    balancer.balancer.scoreboard.setFacts(pool.row, row, { operator: "draining" });

    await balancer.balancer.reload(again(port, { backends: [a.member, c.member] }));
    assert.equal(balancer.active(0), 2, "the sessions at a are still counted");
    assert.deepEqual([...new Set((await names(6)).map(([name]) => name))], ["c"], "a is still draining");
    for (const [, conn] of held) conn.close();
    await balancer.log.waitFor("generation_drained");
    assert.equal(balancer.balancer.generations.all.length, 1);
    assert.equal(balancer.active(0), 0);
  },
);

onEachEngine(
  "a generation that drains at once is said to have drained when the reload was told",
  async (engine) => {
    await using a = startNamedBackend("a");
    await using balancer = await startTestBalancer({ engine, backends: [a.member], workers: 1 });
    const told = Promise.withResolvers<void>();
    const config = again(balancer.port, { backends: [a.member], workers: 2 });
    assert.equal(await balancer.balancer.reload(config, told.promise), "replaced");
    await until(() => balancer.balancer.generations.all.length === 1, "the old generation is gone");
    assert.ok(!balancer.log.events.some(({ event }) => event === "generation_drained"));
    told.resolve();
    const { fields } = await balancer.log.waitFor("generation_drained");
    assert.deepEqual(fields, { generation: 1, closed_sessions: 0 });
  },
);

onEachEngine("a reload whose port is taken changes nothing", async (engine) => {
  await using a = startNamedBackend("a");
  await using balancer = await startTestBalancer({ engine, backends: [a.member] });
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const config = testConfig({ backends: [a.member], listener: { listen: `127.0.0.1:${taken.addr.port}` } });
  const before = balancer.balancer.config;
  await assert.rejects(balancer.balancer.reload(config), /cannot listen on .* is in use/);
  assert.equal(balancer.balancer.config, before);
  assert.equal(balancer.balancer.generations.started, 1);
  assert.equal(await nameAt(balancer.port), "a");
  taken.close();
});

Deno.test("a failed reload leaves the facts of a moved backend alone; one that succeeds makes it as new", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({ backends: [a.member] });
  const { scoreboard, plan: { pools: [pool = assert.fail()] } } = balancer.balancer;
  const [{ row } = assert.fail()] = pool.backends;
  scoreboard.setFacts(pool.row, row, { isEjected: true, rampPercent: 30 });
  scoreboard.addFailure(row);
  const before = scoreboard.facts(row);

  const moved = again(balancer.port, { backends: [{ ...a.member, address: b.member.address }] });
  const folder = await Deno.makeTempDir();
  const path = `${folder}/no-socket`;
  await Deno.writeTextFile(path, "");
  const [web = assert.fail()] = moved.listeners;
  const impossible = { ...web, name: "more", listen: { transport: "unix", path } as const };
  const version = scoreboard.version(pool.row);
  await assert.rejects(
    balancer.balancer.reload({ ...moved, listeners: [web, impossible] }),
    /cannot listen on unix:/,
  );
  assert.deepEqual(scoreboard.facts(row), before);
  assert.equal(scoreboard.version(pool.row), version, "no worker saw another fact meanwhile");
  assert.equal(scoreboard.addFailure(row), 2);

  assert.equal(await balancer.balancer.reload(moved), "replaced");
  assert.deepEqual(scoreboard.facts(row), { ...before, isEjected: false, rampPercent: 100 });
  assert.equal(scoreboard.addFailure(row), 1);
  await Deno.remove(folder, { recursive: true });
});

onEachEngine("listeners may be added, moved and removed", async (engine) => {
  await using a: NamedBackend = startNamedBackend("a");
  await using balancer = await startTestBalancer({ engine, backends: [a.member] });
  const config = testConfig({ backends: [a.member] });
  const [web] = config.listeners;
  assert.ok(web !== undefined);
  const here = { ...web, listen: { transport: "tcp", host: "127.0.0.1", port: balancer.port } as const };
  await balancer.balancer.reload({ ...config, listeners: [here, { ...web, name: "more" }] });
  const [, more = ""] = balancer.balancer.addresses;
  const morePort = Number(more.split(":").at(-1));
  assert.equal(await nameAt(balancer.port), "a");
  assert.equal(await nameAt(morePort), "a");
  const there = { ...web, name: "more", listen: { ...here.listen, port: morePort } };
  await balancer.balancer.reload({ ...config, listeners: [there] });
  await until(() => balancer.balancer.generations.all.length === 1, "the old generations are gone");
  assert.equal(await nameAt(morePort), "a");
  await assert.rejects(nameAt(balancer.port), Deno.errors.ConnectionRefused);
});

onEachEngine("a storm of reloads ends with the last one in force", async (engine) => {
  await using a = startNamedBackend("a");
  await using balancer = await startTestBalancer({ engine, backends: [a.member] });
  const configs = Array.from({ length: 30 }, (_, i) => {
    return again(balancer.port, { backends: [a.member], listener: { idle_timeout: `${i + 1}s` } });
  });
  await Promise.all(configs.map((config) => balancer.balancer.reload(config)));
  assert.equal(balancer.balancer.config, configs.at(-1));
  assert.equal(await nameAt(balancer.port), "a");
  await until(() => balancer.balancer.generations.all.length === 1, "the old generations are gone");
});

onEachEngine("sessions of an old generation end at reload_drain_timeout", async (engine) => {
  const echo = startEcho();
  await using balancer = await startTestBalancer({ engine, backends: [echo.address] });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  assert.equal(await say(conn, "x"), "x");
  const config = again(balancer.port, { backends: [echo.address], workers: 1 });
  await balancer.balancer.reload({ ...config, reloadDrainTimeoutMs: 100 });
  assert.deepEqual(await readUntilCut(conn, engine), new Uint8Array());
  const { fields } = await balancer.log.waitFor("generation_drained");
  assert.deepEqual(fields, { generation: 1, closed_sessions: 1 });
  await echo.stop();
});

onEachEngine(
  "a changed reload_drain_timeout holds for sessions that linger already, from then on",
  async (engine) => {
    const echo = startEcho();
    await using balancer = await startTestBalancer({ engine, backends: [echo.address] });
    const open = async (): Promise<Deno.Conn> => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      assert.equal(await say(conn, "x"), "x");
      return conn;
    };
    using lingering = await open();
    const config = again(balancer.port, { backends: [echo.address], workers: 1 });
    // A deadline that is far, then none, then one that is near.
    await balancer.balancer.reload({ ...config, reloadDrainTimeoutMs: 200_000 });
    await balancer.balancer.reload({ ...config, reloadDrainTimeoutMs: 0 });
    using current = await open();
    assert.equal(await balancer.balancer.reload({ ...config, reloadDrainTimeoutMs: 100 }), "kept");
    assert.deepEqual(await readUntilCut(lingering, engine), new Uint8Array());
    const { fields } = await balancer.log.waitFor("generation_drained");
    assert.deepEqual(fields, { generation: 1, closed_sessions: 1 });
    assert.equal(await say(current, "y"), "y");
    await echo.stop();
  },
);

onEachEngine("a deadline that is taken back ends no session", async (engine) => {
  const echo = startEcho();
  await using balancer = await startTestBalancer({ engine, backends: [echo.address] });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  assert.equal(await say(conn, "x"), "x");
  const config = again(balancer.port, { backends: [echo.address], workers: 1 });
  await balancer.balancer.reload({ ...config, reloadDrainTimeoutMs: 600 });
  await balancer.balancer.reload({ ...config, reloadDrainTimeoutMs: 0 });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.equal(await say(conn, "y"), "y");
  await echo.stop();
});

async function nameAt(port: number): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return text(await readExactly(conn, 1));
}
