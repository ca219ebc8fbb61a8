// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { startTestBalancer } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { ask, bytes, readAll, readExactly, text } from "../support/bytes.ts";
import { refusedPort } from "../support/ports.ts";

/** Greets, and stays until the client ends. */
function greeter(): ReturnType<typeof startBackend> {
  return startBackend(async (conn) => {
    await writeAll(conn, bytes("hello"));
    await readAll(conn);
  });
}

onEachEngine(
  "at max_connections accepting pauses, over all workers, and goes on when a session ends",
  async (engine) => {
    const backend = greeter();
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      listener: { max_connections: 3 },
      workers: 2,
    });
    const connect = (): Promise<Deno.TcpConn> => Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    const inside = await Promise.all([connect(), connect(), connect()]);
    for (const client of inside) assert.equal(text(await readExactly(client, 5)), "hello");

    // The kernel completes the fourth connection, but nobody accepts it.
    const waiting = await connect();
    const greeting = readExactly(waiting, 5);
    let wasGreeted = false;
    greeting.then(() => wasGreeted = true);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(wasGreeted, false);
    assert.equal(backend.accepted, 3);

    inside[0]?.close();
    assert.equal(text(await greeting), "hello");
    assert.equal(backend.accepted, 4);
    for (const client of [...inside.slice(1), waiting]) client.close();
    await balancer.waitForRecords(4);
    await backend.stop();
  },
);

onEachEngine(
  "max_connections is never exceeded and nobody is turned away, with 200 clients on 2 places",
  async (engine) => {
    let active = 0;
    let most = 0;
    const backend = startBackend(async (conn) => {
      most = Math.max(most, ++active);
      await writeAll(conn, await readAll(conn));
      active--;
    });
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      listener: { max_connections: 2 },
      workers: 2,
    });
    const answers = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
      using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      await writeAll(client, bytes(`client ${i}`));
      await client.closeWrite();
      return text(await readAll(client));
    }));
    assert.deepEqual(answers, Array.from({ length: 200 }, (_, i) => `client ${i}`));
    assert.ok(most <= 2, `${most} sessions at once`);
    await backend.stop();
  },
);

onEachEngine(
  "log.sessions: served leaves out connections without a byte, and nothing that failed",
  async (engine) => {
    const mute = startBackend(async (conn) => void await readAll(conn));
    for (
      const [backend, expected] of [[mute.address, ["done"]], [`127.0.0.1:${refusedPort()}`, [
        "dial_failed",
      ]]] as const
    ) {
      await using balancer = await startTestBalancer({
        engine,
        backends: [backend],
        pool: { retries: 0 },
        logging: { sessions: "served" },
      });
      const connect = (): Promise<Deno.TcpConn> =>
        Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      if (backend === mute.address) {
        for (let i = 0; i < 5; i++) {
          const probe = await connect();
          await probe.closeWrite();
          await readAll(probe);
          probe.close();
        }
      }
      using client = await connect();
      await writeAll(client, bytes("x")).catch(() => {});
      await client.closeWrite().catch(() => {});
      await readAll(client).catch(() => {});
      await balancer.stop();
      assert.deepEqual(balancer.records().map(({ end }) => end), expected);
    }
    await mute.stop();
  },
);

onEachEngine("a record says which address the backend sees", async (engine) => {
  const peers: string[] = [];
  const backend = startBackend(async (conn) => {
    peers.push(`127.0.0.1:${conn.remoteAddr.port}`);
    await readAll(conn);
  });
  await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
  assert.equal(text(await ask(balancer.port, bytes("x"))), "");
  assert.deepEqual((await balancer.waitForRecords(1)).map(({ local }) => local), peers);
  await backend.stop();
});
