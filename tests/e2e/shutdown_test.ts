// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { startAdmin } from "../../lib/admin/server.ts";
import { Balancer } from "../../lib/control/balancer.ts";
import { localPort, startTestBalancer, type TestBalancer, testConfig, until } from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { memoryLog } from "../support/memory_log.ts";
import { bytes, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { operationsOf } from "../support/operations.ts";

function greeter(): TestBackend {
  return startBackend(async (conn) => {
    await writeAll(conn, bytes("hello"));
    await writeAll(conn, await readAll(conn));
  });
}

onEachEngine("a stopping balancer takes no new connection and lets its sessions finish", async (engine) => {
  const backend = greeter();
  await using balancer = await startTestBalancer({
    engine,
    backends: [backend.address],
    shutdownTimeout: "1m",
  });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  await readExactly(client, 5);
  const stopped = balancer.stop();
  await refusesConnections(balancer.port);
  const sent = pattern(1024 * 1024);
  const sending = writeAll(client, sent).then(() => client.closeWrite());
  assert.ok(same(await readAll(client), sent));
  await sending;
  assert.equal(await stopped, 0);
  assert.equal((await balancer.recordOf(localPort(client))).end, "done");
  await backend.stop();
});

onEachEngine("sessions that are left at the shutdown timeout are closed and counted", async (engine) => {
  const backend = greeter();
  await using balancer = await startTestBalancer({
    engine,
    backends: [backend.address],
    shutdownTimeout: "200ms",
  });
  const clients = await Promise.all(
    Array.from({ length: 5 }, () => Deno.connect({ hostname: "127.0.0.1", port: balancer.port })),
  );
  for (const client of clients) await readExactly(client, 5);
  assert.equal(await balancer.stop(), 5);
  for (const client of clients) assert.equal(text(await readUntilCut(client, engine)), "");
  assert.deepEqual(balancer.records().map((record) => record.end), Array(5).fill("shutdown"));
  assert.equal(balancer.active(0), 0);
  for (const client of clients) client.close();
  await backend.stop();
});

onEachEngine("stopping while 50 MiB are on their way to a client loses none of them", async (engine) => {
  const block = pattern(1024 * 1024);
  const backend = startBackend(async (conn) => {
    for (let i = 0; i < 50; i++) await writeAll(conn, block);
  });
  await using balancer = await startTestBalancer({
    engine,
    backends: [backend.address],
    shutdownTimeout: "1m",
  });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  await readExactly(client, 1_000);
  const stopped = balancer.stop();
  const rest = await readAll(client);
  assert.equal(rest.length + 1_000, 50 * block.length);
  await client.closeWrite();
  assert.equal(await stopped, 0);
  await backend.stop();
});

onEachEngine(
  "at the shutdown timeout a client that reads gets all that is on its way, and one that is stuck delays no exit",
  async (engine) => {
    const block = pattern(64 * 1024);
    const backend = startBackend(async (conn) => {
      for (let isOpen = true; isOpen;) {
        isOpen = await writeAll(conn, block).then(() => true, () => false);
      }
    });
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      workers: 1,
      shutdownTimeout: "200ms",
    });
    using stuck = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    using reading = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    // Neither reads until both hold up the backend.
    let moved = -1;
    await until(() => balancer.active(0) === 2, "both are relayed to");
    for (let before = -2; before !== moved; before = moved, moved = await bytesOut(balancer)) {
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    const startedMs = performance.now();
    const stopped = balancer.stop();
    await balancer.recordOf(localPort(reading));
    const got = await readUntilCut(reading, engine);
    assert.equal(await stopped, 2);
    const tookMs = performance.now() - startedMs;
    const records = await Promise.all([reading, stuck].map((conn) => balancer.recordOf(localPort(conn))));
    assert.deepEqual(records.map(({ end }) => end), ["shutdown", "shutdown"]);
    assert.ok(got.length >= (records[0]?.bytes_out ?? Infinity), `${got.length} bytes came`);
    assert.ok(got.every((byte, i) => byte === block[i % block.length]));
    // The worker has ended by itself: it was not given up with what it still delivers.
    assert.deepEqual(balancer.log.events.filter(({ event }) => event === "worker_died"), []);
    assert.ok(tookMs < 200 + 2_000 + 1_000, `the exit took ${tookMs} ms`);
    await backend.stop();
  },
);

onEachEngine(
  "a stopping balancer accepts for the shutdown delay, while it says that it is not ready",
  async (engine) => {
    const backend = greeter();
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      shutdownTimeout: "1m",
      shutdownDelay: "1h",
    });
    const hurry = new AbortController();
    const stopped = balancer.stop(hurry.signal);
    assert.equal(balancer.balancer.state, "stopping");
    for (let i = 0; i < 3; i++) {
      using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      await readExactly(client, 5);
    }
    using last = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await readExactly(last, 5);
    await until(() => balancer.active(0) === 1, "only the last session goes on");
    // Nothing is waited for any more: neither the delay nor the sessions.
    hurry.abort();
    assert.equal(await stopped, 1);
    await refusesConnections(balancer.port);
    assert.equal((await balancer.recordOf(localPort(last))).end, "shutdown");
    await backend.stop();
  },
);

onEachEngine("the shutdown delay ends by itself", async (engine) => {
  const backend = greeter();
  await using balancer = await startTestBalancer({
    engine,
    backends: [backend.address],
    shutdownDelay: "100ms",
  });
  const startedMs = performance.now();
  assert.equal(await balancer.stop(), 0);
  assert.ok(performance.now() - startedMs >= 100);
  await refusesConnections(balancer.port);
  await backend.stop();
});

Deno.test("/readyz says starting, then ready, then stopping", async () => {
  const backend = greeter();
  const log = memoryLog();
  const config = testConfig({ backends: [backend.address], shutdownDelay: "1h" });
  const balancer = new Balancer({ config, log: log.log });
  const operations = operationsOf(balancer);
  const listen = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;
  const page = (): string => "";
  const admin = await startAdmin({ listen, token: undefined, operations, page, log: balancer.journal });
  const readyz = async (): Promise<[number, string]> => {
    const response = await fetch(`http://${admin.address}/readyz`);
    const text = await response.text();
    return [response.status, response.ok ? text : JSON.parse(text).detail];
  };
  assert.deepEqual(await readyz(), [503, "Not ready: starting."]);
  assert.equal(operations.status().state, "starting");
  await balancer.start();
  assert.deepEqual(await readyz(), [200, "ready"]);
  const hurry = new AbortController();
  const stopped = balancer.stop(hurry.signal);
  assert.deepEqual(await readyz(), [503, "Not ready: stopping."]);
  hurry.abort();
  await stopped;
  assert.deepEqual(await readyz(), [503, "Not ready: stopping."]);
  operations.stop();
  await admin.stop();
  await backend.stop();
});

/** What clients were given so far. */
async function bytesOut({ balancer }: TestBalancer): Promise<number> {
  const sessions = await balancer.generations.sessions(10);
  return sessions.reduce((sum, { bytes_out }) => sum + bytes_out, 0);
}

/** Resolves when the port refuses; the listening socket is closed by several threads, one after the other. */
async function refusesConnections(port: number): Promise<void> {
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return;
      // What waited in the backlog when the last thread closed the socket is reset by the system, perhaps before the call has its address.
      const isReset = error instanceof Deno.errors.ConnectionReset ||
        error instanceof Deno.errors.NotConnected;
      if (!isReset) throw error;
    }
  }
}
