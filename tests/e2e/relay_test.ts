// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend, startSilentBackend } from "../support/backend.ts";
import { localPort, startTestBalancer } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { ask, bytes, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { refusedPort } from "../support/ports.ts";

const MIB = 1024 * 1024;

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

async function echo(conn: Deno.Conn): Promise<void> {
  await writeAll(conn, await readAll(conn));
}

onEachEngine("a backend that talks first is heard before the client says anything", async (engine) => {
  const backend = startBackend(async (conn) => {
    await writeAll(conn, bytes("220 ready\r\n"));
    await readAll(conn);
  });
  await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
  using client = await connect(balancer.port);
  assert.equal(text(await readExactly(client, 11)), "220 ready\r\n");
  await backend.stop();
});

onEachEngine("when a backend answers and closes, every byte arrives before the end", async (engine) => {
  const answer = pattern(3 * MIB);
  const backend = startBackend((conn) => writeAll(conn, answer));
  await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
  using client = await connect(balancer.port);
  assert.ok(same(await readAll(client), answer));
  await backend.stop();
});

onEachEngine("a client that has ended its sending side still receives 8 MiB", async (engine) => {
  const answer = pattern(8 * MIB);
  let asked = "";
  const backend = startBackend(async (conn) => {
    asked = text(await readAll(conn));
    await writeAll(conn, answer);
  });
  await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
  const received = await ask(balancer.port, bytes("all of it, please"));
  assert.equal(asked, "all of it, please");
  assert.ok(same(received, answer));
  await backend.stop();
});

onEachEngine("a backend that has ended its sending side still receives everything", async (engine) => {
  const sent = pattern(4 * MIB);
  const { promise: received, resolve } = Promise.withResolvers<Uint8Array>();
  const backend = startBackend(async (conn) => {
    await conn.closeWrite();
    resolve(await readAll(conn));
  });
  await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
  using client = await connect(balancer.port);
  assert.equal(await client.read(new Uint8Array(1)), null);
  await writeAll(client, sent);
  await client.closeWrite();
  assert.ok(same(await received, sent));
  const record = await balancer.recordOf(localPort(client));
  assert.equal(record.end, "done");
  assert.equal(record.bytes_in, sent.length);
  await backend.stop();
});

onEachEngine(
  "50 MiB to a client that does not read wait at the backend, in bounded memory, and all arrive later",
  async (engine) => {
    const total = 50 * MIB;
    const block = pattern(MIB);
    let sentBytes = 0;
    const stalled = Promise.withResolvers<void>();
    const backend = startBackend(async (conn) => {
      let timer = setTimeout(stalled.resolve, 500);
      for (let rest = block; sentBytes < total;) {
        const n = await conn.write(rest);
        clearTimeout(timer);
        timer = setTimeout(stalled.resolve, 500);
        sentBytes += n;
        rest = n === rest.length ? block : rest.subarray(n);
      }
      clearTimeout(timer);
    });
    await using balancer = await startTestBalancer({ engine, backends: [backend.address], workers: 1 });
    using client = await connect(balancer.port);
    await stalled.promise;
    const residentBytes = Deno.memoryUsage().rss;
    // What the system's own socket buffers take is all that may have left the backend.
    assert.ok(sentBytes < 20 * MIB, `the backend could send ${sentBytes} bytes`);
    const buffer = new Uint8Array(256 * 1024);
    let receivedBytes = 0;
    for (let n = await client.read(buffer); n !== null; n = await client.read(buffer)) {
      for (let i = 0; i < n; i += 4099) assert.equal(buffer[i], block[(receivedBytes + i) % MIB]);
      receivedBytes += n;
    }
    assert.equal(receivedBytes, total);
    assert.ok(Deno.memoryUsage().rss - residentBytes < 32 * MIB, "memory grew with the data");
    await backend.stop();
  },
);

onEachEngine(
  "segments of random sizes, both ways at once, over 100 sessions, arrive byte for byte",
  async (engine) => {
    const backend = startBackend(async (conn) => {
      // An echo that answers while it reads, in pieces of its own.
      const buffer = new Uint8Array(7_001);
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
        await writeAll(conn, buffer.subarray(0, n));
      }
    });
    await using balancer = await startTestBalancer({ engine, backends: [backend.address] });
    const session = async (seed: number): Promise<void> => {
      const sent = pattern(20_000 + seed * 997, seed);
      using client = await connect(balancer.port);
      const sending = (async () => {
        for (let at = 0; at < sent.length;) {
          const size = 1 + ((sent[at] ?? 0) * 37) % 9_000;
          await writeAll(client, sent.subarray(at, at + size));
          at += size;
        }
        await client.closeWrite();
      })();
      const received = await readAll(client);
      await sending;
      assert.ok(same(received, sent), `session ${seed} differs`);
    };
    await Promise.all(Array.from({ length: 100 }, (_, i) => session(i + 1)));
    const records = await balancer.waitForRecords(100);
    assert.ok(records.every((record) => record.end === "done" && record.bytes_in === record.bytes_out));
    await backend.stop();
  },
);

onEachEngine(
  "when all backends refuse, the client is closed promptly and the record names each",
  async (engine) => {
    const backends = [refusedPort(), refusedPort(), refusedPort()].map((port) => `127.0.0.1:${port}`);
    await using balancer = await startTestBalancer({ engine, backends });
    using client = await connect(balancer.port);
    assert.equal(await client.read(new Uint8Array(1)), null);
    const record = await balancer.recordOf(localPort(client));
    assert.equal(record.end, "dial_failed");
    assert.equal(record.backend, undefined);
    assert.equal(record.attempts, 3);
    assert.deepEqual(
      [...record.failed ?? []].sort(),
      backends.map((it) => `${it}: connection refused`).sort(),
    );
  },
);

onEachEngine(
  "when one of three backends refuses, no client notices and the others share its turns evenly",
  async (engine) => {
    const names: string[] = [];
    const answering = (name: string): ReturnType<typeof startBackend> => {
      return startBackend(async (conn) => {
        names.push(name);
        await readAll(conn);
        await writeAll(conn, bytes(name));
      });
    };
    const one = answering("one");
    const three = answering("three");
    await using balancer = await startTestBalancer({
      engine,
      backends: [one.address, `127.0.0.1:${refusedPort()}`, three.address],
    });
    for (let i = 0; i < 60; i++) assert.match(text(await ask(balancer.port, bytes("hi"))), /^(one|three)$/);
    assert.equal(names.filter((name) => name === "one").length, 30);
    const records = await balancer.waitForRecords(60);
    assert.equal(records.filter((record) => record.attempts === 2).length, 30);
    await Promise.all([one.stop(), three.stop()]);
  },
);

onEachEngine(
  "a backend that accepts nothing is given up at the dial timeout, and another one is tried",
  async (engine) => {
    const silent = await startSilentBackend();
    const backend = startBackend(echo);
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ address: silent.address, name: "silent" }, backend.address],
      pool: { dial_timeout: "200ms" },
    });
    using client = await connect(balancer.port);
    await writeAll(client, bytes("hello"));
    await client.closeWrite();
    assert.equal(text(await readAll(client)), "hello");
    const record = await balancer.recordOf(localPort(client));
    assert.deepEqual(record.failed, ["silent: timed out"]);
    assert.ok(record.dial_ms >= 200, `dialled for ${record.dial_ms} ms`);
    assert.equal(record.end, "done");
    silent.stop();
    await backend.stop();
  },
);

onEachEngine("retries: 0 tries no other backend", async (engine) => {
  const backend = startBackend(echo);
  await using balancer = await startTestBalancer({
    engine,
    backends: [`127.0.0.1:${refusedPort()}`, backend.address],
    pool: { retries: 0 },
  });
  using client = await connect(balancer.port);
  assert.equal(await client.read(new Uint8Array(1)), null);
  assert.equal((await balancer.recordOf(localPort(client))).attempts, 1);
  await backend.stop();
});

onEachEngine("1,000 sessions over 2 workers are spread 334, 333, 333", async (engine) => {
  const backends = Array.from({ length: 3 }, () => startBackend(echo));
  await using balancer = await startTestBalancer({
    engine,
    backends: backends.map((it) => it.address),
    workers: 2,
  });
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < 1_000) {
      const message = `message ${next++}`;
      assert.equal(text(await ask(balancer.port, bytes(message))), message);
    }
  };
  await Promise.all(Array.from({ length: 50 }, client));
  assert.deepEqual(backends.map((it) => it.accepted), [334, 333, 333]);
  const records = await balancer.waitForRecords(1_000);
  const workers = new Set(records.map((record) => record.id.split("-")[1]));
  assert.equal(workers.size, 2, "both workers took part");
  assert.equal(new Set(records.map((record) => record.id)).size, 1_000, "ids are unique");
  await Promise.all(backends.map((it) => it.stop()));
});
