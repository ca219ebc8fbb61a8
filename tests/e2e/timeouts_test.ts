// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend, startSilentBackend, type TestBackend } from "../support/backend.ts";
import {
  localPort,
  startTestBalancer,
  type TestBalancer,
  type TestBalancerOptions,
} from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { bytes, readAll, readExactly, text } from "../support/bytes.ts";

/** A backend that reads everything and says nothing, until the test ends. */
function mute(): TestBackend {
  return startBackend(async (conn) => void await readAll(conn));
}

async function withClient(
  options: TestBalancerOptions,
  talk: (client: Deno.TcpConn, balancer: TestBalancer) => Promise<void>,
): Promise<void> {
  await using balancer = await startTestBalancer({ workers: 1, ...options });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  await talk(client, balancer);
}

onEachEngine("a session in which no byte moves ends at the idle timeout", async (engine) => {
  const backend = mute();
  await withClient(
    { engine, backends: [backend.address], listener: { idle_timeout: "300ms" } },
    async (client, balancer) => {
      assert.deepEqual(await readUntilCut(client, engine), new Uint8Array());
      const record = await balancer.recordOf(localPort(client));
      assert.equal(record.end, "idle_timeout");
      assert.ok(record.duration_ms >= 300 && record.bytes_in === 0, `ended after ${record.duration_ms} ms`);
    },
  );
  await backend.stop();
});

onEachEngine("bytes in one direction keep a session from being idle", async (engine) => {
  const backend = mute();
  await withClient(
    { engine, backends: [backend.address], listener: { idle_timeout: "400ms" } },
    async (client, balancer) => {
      const startedMs = performance.now();
      while (performance.now() - startedMs < 1_000) {
        await writeAll(client, bytes("."));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.deepEqual(await readUntilCut(client, engine), new Uint8Array());
      const record = await balancer.recordOf(localPort(client));
      assert.equal(record.end, "idle_timeout");
      assert.ok(record.duration_ms >= 1_000, `ended after ${record.duration_ms} ms`);
    },
  );
  await backend.stop();
});

onEachEngine("the idle timeout also ends a session whose peer takes no bytes", async (engine) => {
  const backend = startBackend(async (conn) => {
    const block = new Uint8Array(256 * 1024);
    for (;;) await conn.write(block);
  });
  await withClient(
    { engine, backends: [backend.address], listener: { idle_timeout: "500ms" } },
    async (client, balancer) => {
      const record = await balancer.recordOf(localPort(client));
      assert.equal(record.end, "idle_timeout");
      assert.ok(record.bytes_out > 0);
    },
  );
  await backend.stop();
});

onEachEngine(
  "after one direction has ended, silence in the other ends the session at the half-close timeout",
  async (engine) => {
    const held = Promise.withResolvers<void>();
    const backend = startBackend(async (conn) => {
      await readAll(conn);
      await writeAll(conn, bytes("still here"));
      // Neither ends nor sends; only the balancer can end this.
      await held.promise;
    });
    const listener = { half_close_timeout: "300ms", idle_timeout: "1m" };
    await withClient({ engine, backends: [backend.address], listener }, async (client, balancer) => {
      await client.closeWrite();
      assert.equal(text(await readExactly(client, 10)), "still here");
      assert.equal((await balancer.recordOf(localPort(client))).end, "half_close_timeout");
    });
    held.resolve();
    await backend.stop();
  },
);

onEachEngine("a busy session ends at its maximal duration", async (engine) => {
  const backend = startBackend(async (conn) => {
    const buffer = new Uint8Array(1024);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      await writeAll(conn, buffer.subarray(0, n));
    }
  });
  await withClient(
    { engine, backends: [backend.address], listener: { max_session_duration: "500ms" } },
    async (client, balancer) => {
      let echoed = 0;
      try {
        for (;;) {
          await writeAll(client, bytes("x"));
          if (await client.read(new Uint8Array(1)) === null) break;
          echoed++;
        }
      } catch {
        // The connection may also end under the writing hand.
      }
      assert.ok(echoed > 0);
      const record = await balancer.recordOf(localPort(client));
      assert.equal(record.end, "max_duration");
      assert.ok(record.duration_ms >= 500 && record.duration_ms < 5_000);
    },
  );
  await backend.stop();
});

onEachEngine("the maximal duration also ends a session that is still being dialled", async (engine) => {
  const silent = await startSilentBackend();
  await withClient(
    {
      engine,
      backends: [silent.address],
      listener: { max_session_duration: "300ms" },
      pool: { dial_timeout: "1m" },
    },
    async (client, balancer) => {
      assert.equal(await client.read(new Uint8Array(1)), null);
      const record = await balancer.recordOf(localPort(client));
      assert.equal(record.end, "max_duration");
      assert.equal(record.backend, undefined);
    },
  );
  silent.stop();
});

onEachEngine(
  "a session that keeps moving outlives an idle timeout shorter than the clock's tick",
  async (engine) => {
    const backend = mute();
    await withClient(
      { engine, backends: [backend.address], listener: { idle_timeout: "90ms" } },
      async (client, balancer) => {
        const startedMs = performance.now();
        while (performance.now() - startedMs < 700) {
          await writeAll(client, bytes("."));
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await client.closeWrite();
        assert.equal(await client.read(new Uint8Array(1)), null);
        assert.equal((await balancer.recordOf(localPort(client))).end, "done");
      },
    );
    await backend.stop();
  },
);
