// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** A backend dies while its client has something to send, or something to read. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { localPort, startTestBalancer } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { bytes, pattern, readAll, readExactly, same } from "../support/bytes.ts";

/** Writes a line every 20 ms until a write fails; says how long that took. */
async function writeUntilTold(client: Deno.TcpConn, patienceMs: number): Promise<number> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < patienceMs) {
    try {
      await writeAll(client, bytes("a line\n"));
    } catch {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - startedMs;
}

for (const greeting of ["", "welcome"]) {
  onEachEngine(
    `a client that only writes is told within two seconds that its backend died${
      greeting && ", also after a greeting"
    }`,
    async (engine) => {
      const backend = startBackend(async (conn) => {
        await writeAll(conn, bytes(greeting));
        await conn.read(new Uint8Array(1));
        // Closed with the client's bytes unread, as the system does for a process that was killed.
      });
      await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
      using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      await readExactly(client, greeting.length);
      const toldMs = await writeUntilTold(client, 20_000);
      assert.ok(toldMs < 3_000, `told after ${toldMs} ms`);
      assert.equal((await balancer.recordOf(localPort(client))).end, "backend_reset");
      assert.equal(balancer.active(0), 0);
      await backend.stop();
    },
  );
}

onEachEngine(
  "a client that reads slowly, but without a pause, is not cut at the half-close timeout",
  async (engine) => {
    const answer = pattern(6 * 1024 * 1024);
    const backend = startBackend(async (conn) => {
      await readAll(conn);
      await writeAll(conn, answer);
    });
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      listener: { half_close_timeout: "200ms" },
    });
    using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await writeAll(client, bytes("give me all"));
    await client.closeWrite();
    const parts: Uint8Array<ArrayBuffer>[] = [];
    const buffer = new Uint8Array(64 * 1024);
    // For several times the timeout nothing is taken at all, so that a write of the balancer waits.
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const read = await client.read(buffer);
      parts.push(buffer.slice(0, read ?? 0));
    }
    parts.push(new Uint8Array(await readAll(client)));
    assert.ok(same(new Uint8Array(await new Blob(parts).arrayBuffer()), answer));
    assert.equal((await balancer.recordOf(localPort(client))).end, "done");
    await backend.stop();
  },
);

onEachEngine(
  "a client that takes nothing at all is ended by the idle timeout, half-closed or not",
  async (engine) => {
    const backend = startBackend(async (conn) => {
      await readAll(conn);
      await writeAll(conn, new Uint8Array(32 * 1024 * 1024)).catch(() => {});
    });
    await using balancer = await startTestBalancer({
      engine,
      backends: [backend.address],
      listener: { half_close_timeout: "100ms", idle_timeout: "1s" },
    });
    using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
    await writeAll(client, bytes("give me all"));
    await client.closeWrite();
    assert.equal((await balancer.recordOf(localPort(client))).end, "idle_timeout");
    await backend.stop();
  },
);
