// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Totals over reloads that rename, remove and bring back what they belong to. */

import assert from "node:assert/strict";
import type { Config } from "../../lib/config/schema.ts";
import type { BalancerOperations } from "../../lib/control/operations.ts";
import { type NamedBackend, startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, testConfig, until } from "../support/balancer.ts";
import { readExactly, text } from "../support/bytes.ts";
import { operationsOf } from "../support/operations.ts";

interface Changes {
  readonly backends: readonly NamedBackend[];
  readonly listener?: string;
  readonly pool?: string;
}

/** A configuration on the port where the balancer is, which counts. */
function configOf({ port }: TestBalancer, { backends, listener = "web", pool = "web" }: Changes): Config {
  const config = testConfig({
    backends: backends.map(({ member }) => member),
    listener: { listen: `127.0.0.1:${port}`, name: listener, pool: "web" },
  });
  const { web } = config.pools;
  return {
    ...config,
    listeners: config.listeners.map((it) => ({ ...it, pool })),
    pools: web === undefined ? {} : { [pool]: web },
    admin: { listen: { transport: "tcp", host: "127.0.0.1", port: 0 }, tokenFile: undefined },
  };
}

/** All sessions of the metrics. */
function sessionsIn(operations: BalancerOperations): number {
  return operations.counts().totals
    .flatMap(({ ends }) => Object.values(ends)).reduce((sum, count) => sum + count, 0);
}

Deno.test("no reload makes a total go back: not a rename, not another pool, not a backend that goes and returns", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({
    backends: [a.member, b.member],
    tallySessions: true,
  });
  const operations = operationsOf(balancer.balancer);
  const steps: Changes[] = [
    { backends: [a] },
    { backends: [a, b] },
    { backends: [b] },
    { backends: [a, b], listener: "front" },
    { backends: [a, b], listener: "front", pool: "other" },
    { backends: [a, b] },
  ];
  let visits = 0;
  const visitSome = async (): Promise<void> => {
    for (let i = 0; i < 6; i++) assert.match(await visit(balancer.port), /^[ab]$/);
    visits += 6;
    await until(() => sessionsIn(operations) === visits, "all sessions are counted");
  };
  await visitSome();
  for (const step of steps) {
    await balancer.balancer.reload(configOf(balancer, step));
    assert.equal(sessionsIn(operations), visits);
    await visitSome();
  }
  // Each old generation has ended, and what is gone is summed up.
  await until(() => balancer.balancer.generations.all.length === 1, "the old generations have drained");
  assert.equal(sessionsIn(operations), visits);
  const labels = operations.counts().totals.map(({ listener, pool, backend }) => [listener, pool, backend]);
  assert.ok(labels.some(([listener, pool]) => listener === "(removed)" && pool === "(removed)"));
  assert.ok(labels.every(([listener]) => listener === "web" || listener === "(removed)"), String(labels));
  operations.stop();
});

Deno.test("a backend that was removed is shown until its last session has ended, and can be killed", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({ backends: [a.member], tallySessions: true });
  const operations = operationsOf(balancer.balancer);
  const connect = (): Promise<Deno.TcpConn> => Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  const [one, two] = await Promise.all([connect(), connect()]);
  for (const conn of [one, two]) assert.equal(text(await readExactly(conn, 2)), "a\n");
  await balancer.balancer.reload(configOf(balancer, { backends: [b] }));

  const shown = (): string[] => {
    const backends = operations.status().pools.flatMap((pool) => pool.backends);
    return backends.map(({ name, state, active, leaving }) => `${name} ${state} ${active} ${leaving}`);
  };
  assert.deepEqual(shown(), ["b up 0 false", "a leaving 2 true"]);
  assert.equal(operations.status().ready, true);
  assert.equal(operations.steer("web", "a", { do: "drain", deadlineMs: undefined }), undefined);

  // One session by its id, the others with their backend.
  const [oldest, next] = await operations.sessions(10, { backend: "a" });
  assert.ok(oldest !== undefined && next !== undefined && oldest.id !== next.id);
  assert.equal((await operations.sessions(10, { client: next.client })).length, 1);
  assert.equal((await operations.sessions(10, { backend: "b" })).length, 0);
  assert.equal(await operations.killSession(oldest.id), true);
  assert.equal(await operations.killSession("nobody's"), false);
  await until(() => shown().includes("a leaving 1 true"), "one is left");
  assert.equal(operations.steer("web", "a", { do: "kill" }), "a: sessions ended");
  await until(() => shown().join() === "b up 0 false", "it is gone");
  const records = await balancer.waitForRecords(2);
  assert.deepEqual(records.map(({ end }) => end), ["killed", "killed"]);
  assert.ok(records.some(({ id }) => id === oldest.id));
  for (const conn of [one, two]) conn.close();
  operations.stop();
});

Deno.test("a pool and a listener that were removed are shown while they have sessions, and do not count for ready", async () => {
  await using a = startNamedBackend("a");
  await using balancer = await startTestBalancer({ backends: [a.member], tallySessions: true });
  const operations = operationsOf(balancer.balancer);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  await readExactly(conn, 2);
  await balancer.balancer.reload(configOf(balancer, { backends: [a], listener: "front", pool: "other" }));
  const { listeners, pools, ready } = operations.status();
  assert.deepEqual(listeners.map(({ name, active, leaving }) => [name, active, leaving]), [
    ["front", 0, false],
    ["web", 1, true],
  ]);
  assert.deepEqual(pools.map(({ name, leaving }) => [name, leaving]), [["other", false], ["web", true]]);
  assert.equal(ready, true);
  conn.close();
  await until(() => operations.status().pools.length === 1, "the pool is gone");
  operations.stop();
});

Deno.test("a pool without a backend that may be picked is told once, and so is its return", async () => {
  await using a = startNamedBackend("a");
  await using b = startNamedBackend("b");
  await using balancer = await startTestBalancer({ backends: [a.member, b.member] });
  const operations = operationsOf(balancer.balancer);
  operations.steer("web", "a", { do: "disable" });
  operations.steer("web", "b", { do: "drain", deadlineMs: undefined });
  operations.steer("web", "b", { do: "disable" });
  operations.steer("web", "a", { do: "enable" });
  const told = balancer.log.events.filter(({ event }) => event.startsWith("pool_"));
  assert.deepEqual(
    told.map(({ level, event, fields }) => [level, event, fields.available, fields.backends]),
    [
      ["error", "pool_down", 0, 2],
      ["info", "pool_up", 1, 2],
    ],
  );
  operations.stop();
});
