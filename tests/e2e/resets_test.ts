// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Peers that reset their connections. Only node:net can send a reset on purpose. */

import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { writeAll } from "../../lib/core/connection.ts";
import { readOrCut, startBackend } from "../support/backend.ts";
import { localPort, startTestBalancer } from "../support/balancer.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { ask, bytes, pattern, readAll, same, text } from "../support/bytes.ts";

async function resettingBackend(
  serve: (socket: Socket) => void,
): Promise<{ address: string; stop(): Promise<void> }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot find the port of the backend");
  return {
    address: `127.0.0.1:${address.port}`,
    stop: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

onEachEngine("a client that resets ends its session at once, and the backend is closed", async (engine) => {
  const reached = Promise.withResolvers<void>();
  const backendEnded = Promise.withResolvers<void>();
  const backend = startBackend(async (conn) => {
    await conn.read(new Uint8Array(5));
    reached.resolve();
    await readAll(conn).catch(() => {});
    backendEnded.resolve();
  });
  await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
  const client = connect({ host: "127.0.0.1", port: balancer.port });
  await once(client, "connect");
  const port = client.localPort ?? 0;
  client.write("hello");
  await reached.promise;
  client.resetAndDestroy();
  await backendEnded.promise;
  assert.equal((await balancer.recordOf(port)).end, "client_reset");
  await backend.stop();
});

onEachEngine(
  "clients that reset at once cost nothing that lasts, whether or not their backend was reached by then",
  async (engine) => {
    const backend = startBackend(async (conn) => void await readAll(conn).catch(() => {}));
    await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
    for (let i = 0; i < 20; i++) {
      const client = connect({ host: "127.0.0.1", port: balancer.port });
      await once(client, "connect");
      client.write("hello");
      client.resetAndDestroy();
    }
    // Those that were reset before they were accepted leave no record.
    assert.equal(text(await ask(balancer.port, bytes("x"))), "");
    await balancer.stop();
    const ends = new Set(balancer.records().map((record) => record.end));
    assert.ok(ends.size <= 2 && ends.has("done"), [...ends].join());
    assert.equal(balancer.active(0), 0);
    await backend.stop();
  },
);

onEachEngine("a backend that resets ends its session, and the client sees that", async (engine) => {
  const backend = await resettingBackend((socket) => socket.once("data", () => socket.resetAndDestroy()));
  await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  await writeAll(client, bytes("hello"));
  assert.equal(text(await readUntilCut(client, engine)), "");
  assert.equal((await balancer.recordOf(localPort(client))).end, "backend_reset");
  await backend.stop();
});

onEachEngine(
  "a backend that answers and goes, with bytes of the client unread, has its whole answer delivered",
  async (engine) => {
    // As much as the system has sent before the reset: what a dying backend holds back is lost with it.
    const answer = pattern(20_000);
    const backend = startBackend(async (conn) => {
      await conn.read(new Uint8Array(10));
      await writeAll(conn, answer);
      // Closing now, with the rest of the request unread, makes the system send a reset.
    });
    await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
    for (let i = 0; i < 20; i++) {
      using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      const sending = writeAll(client, pattern(100_000)).catch(() => {});
      // The system reports a reset once: the client learns of it when it sends, or when it reads.
      const came = await readAll({ read: (buffer) => readOrCut(client, buffer) });
      assert.ok(same(came, answer), `answer ${i} is not whole`);
      await sending;
    }
    await backend.stop();
  },
);

onEachEngine("a session whose peers reset disturbs no other session", async (engine) => {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, await readAll(conn));
  });
  await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
  const resetting = async (): Promise<void> => {
    const client = connect({ host: "127.0.0.1", port: balancer.port });
    client.on("error", () => {});
    await once(client, "connect");
    client.write("x");
    client.resetAndDestroy();
    await once(client, "close");
  };
  const talking = async (i: number): Promise<void> => {
    const sent = pattern(50_000, i);
    assert.ok(same(await ask(balancer.port, sent), sent));
  };
  await Promise.all(Array.from({ length: 100 }, (_, i) => i % 2 === 0 ? resetting() : talking(i)));
  const records = await balancer.waitForRecords(100);
  assert.equal(records.filter((record) => record.end === "done").length, 50);
  assert.ok(records.every((record) => record.end === "done" || record.end === "client_reset"));
  await backend.stop();
});

onEachEngine(
  "clients that reset before they are accepted hold up nobody, and are no trouble to log",
  async (engine) => {
    const backend = startBackend(async (conn) => {
      await writeAll(conn, await readAll(conn));
    });
    await using balancer = await startTestBalancer({ engine, backends: [backend.address], workers: 1 });
    let isOver = false;
    const resetting = (async () => {
      while (!isOver) {
        const client = connect({ host: "127.0.0.1", port: balancer.port });
        client.on("error", () => {});
        await once(client, "connect");
        client.resetAndDestroy();
        await once(client, "close");
      }
    })();
    let slowestMs = 0;
    for (let i = 0; i < 30; i++) {
      const startedMs = performance.now();
      assert.equal(text(await ask(balancer.port, bytes("hello"))), "hello");
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    }
    isOver = true;
    await resetting;
    assert.ok(slowestMs < 2_000, `somebody waited for ${slowestMs} ms`);
    assert.deepEqual(balancer.log.events.filter((event) => event.event === "accept_failing"), []);
    await backend.stop();
  },
);

onEachEngine("a slow client that is still sending gets all that a dead backend had sent", async (engine) => {
  const answer = pattern(3_000_000);
  const backend = startBackend(async (conn) => {
    await writeAll(conn, answer);
    await conn.closeWrite();
    // Takes a while, then goes with the client's bytes unread: the next ones are answered by a reset.
    await new Promise((resolve) => setTimeout(resolve, 300));
  });
  await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  let isSending = true;
  const sending = (async () => {
    while (isSending) {
      await writeAll(client, new Uint8Array(1_000));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await client.closeWrite();
  })();
  // Longer than any short grace: the client reads only now.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  assert.ok(same(await readAll(client), answer));
  isSending = false;
  await sending;
  const record = await balancer.recordOf(localPort(client));
  assert.equal(record.bytes_out, answer.length);
  assert.equal(record.end, "backend_reset");
  await backend.stop();
});
