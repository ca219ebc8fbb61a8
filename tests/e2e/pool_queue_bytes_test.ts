// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The queue of a pool: what clients send while they wait. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { localPort, startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import { onEachEngine } from "../support/engines.ts";
import { ask, bytes, pattern, readAll, same, text } from "../support/bytes.ts";

/** Reads everything, then answers with the same. */
function echo(): TestBackend {
  return startBackend(async (conn) => await writeAll(conn, await readAll(conn)));
}

function startSmall(engine: EngineName, backend: TestBackend, size: number): Promise<TestBalancer> {
  return startTestBalancer({
    engine,
    backends: [{ address: backend.address, max_connections: 1 }],
    pool: { queue: { size, timeout: "1m" } },
  });
}

async function connect(port: number): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: "127.0.0.1", port });
}

/** Takes the only place. */
async function hold(balancer: TestBalancer): Promise<Deno.TcpConn> {
  const holder = await connect(balancer.port);
  await until(() => balancer.active(0) === 1, "the place is taken");
  return holder;
}

onEachEngine(
  "clients that have said all and ended while they wait are answered, with every byte",
  async (engine) => {
    const backend = echo();
    await using balancer = await startSmall(engine, backend, 10);
    const holder = await hold(balancer);
    const messages = Array.from({ length: 10 }, (_, i) => pattern(1 + i * 700, i + 1));
    const answers = messages.map((message) => ask(balancer.port, message));
    await until(() => balancer.queued() === 10, "all wait");
    holder.close();
    for (const [i, answer] of (await Promise.all(answers)).entries()) {
      assert.ok(same(answer, messages[i] ?? new Uint8Array()), `answer ${i} is another`);
    }
    const records = await balancer.waitForRecords(11);
    assert.ok(records.every((record) => record.end === "done" && record.bytes_in === record.bytes_out));
    await backend.stop();
  },
);

onEachEngine(
  "a client that has ended its sending side keeps its turn, but no place that another one could have",
  async (engine) => {
    const backend = echo();
    await using balancer = await startSmall(engine, backend, 1);
    const holder = await hold(balancer);
    const early = ask(balancer.port, bytes("early"));
    await until(() => balancer.queued() === 1, "the first waits");
    // Its end may reach the balancer a little later; until then there is no place.
    let second: Deno.TcpConn | undefined;
    while (second === undefined) {
      const client = await connect(balancer.port);
      const port = localPort(client);
      await until(
        () => balancer.queued() === 2 || balancer.records().some((it) => it.client === `127.0.0.1:${port}`),
        "the second waits or is refused",
      );
      if (balancer.queued() === 2) second = client;
      else client.close();
    }
    using third = await connect(balancer.port);
    assert.equal(text(await readAll(third)), "");
    assert.equal((await balancer.recordOf(localPort(third))).end, "queue_full");
    holder.close();
    assert.equal(text(await early), "early");
    await writeAll(second, bytes("second"));
    await second.closeWrite();
    assert.equal(text(await readAll(second)), "second");
    second.close();
    await backend.stop();
  },
);

onEachEngine(
  "bytes that clients send in pieces while they wait arrive in order, and so do those that they send after",
  async (engine) => {
    const backend = echo();
    await using balancer = await startSmall(engine, backend, 4);
    for (const length of [1, 1024, 1025, 5_000, 8 * 1024, 8 * 1024 + 1, 200_000]) {
      const holder = await hold(balancer);
      const isFree = Promise.withResolvers<void>();
      let written = 0;
      const clients = [1, 2, 3, 4].map(async (seed) => {
        const [before, after] = [pattern(length, seed), pattern(3_000, seed + 10)];
        using client = await connect(balancer.port);
        client.setNoDelay(true);
        const answer = readAll(client);
        for (let at = 0; at < length;) {
          const size = 1 + (before[at] ?? 0) * Math.ceil(length / 1_000);
          await writeAll(client, before.subarray(at, at + size));
          at += size;
          written += size;
        }
        await isFree.promise;
        await writeAll(client, after);
        await client.closeWrite();
        const expected = new Uint8Array([...before, ...after]);
        assert.ok(same(await answer, expected), `client ${seed} got something else than its ${length} bytes`);
      });
      // What is beyond some 8 KiB may have to wait until somebody reads it.
      const ahead = 4 * Math.min(length, 10_000);
      await until(() => balancer.queued() === 4 && written >= ahead, "all wait and have sent");
      holder.close();
      isFree.resolve();
      await Promise.all(clients);
      await until(() => balancer.active(0) === 0, "all are served");
    }
    const records = await balancer.waitForRecords(35);
    assert.ok(records.every((record) => record.end === "done"));
    await backend.stop();
  },
);

onEachEngine(
  "a client that sends more than the balancer reads ahead waits with the rest, and loses nothing",
  async (engine) => {
    const sent = pattern(16 * 1024 * 1024);
    const backend = echo();
    await using balancer = await startSmall(engine, backend, 1);
    const holder = await hold(balancer);
    using client = await connect(balancer.port);
    let written = 0;
    const sending = (async () => {
      while (written < sent.length) written += await client.write(sent.subarray(written, written + 65_536));
      await client.closeWrite();
    })();
    await until(() => balancer.queued() === 1 && written > 0, "it waits and sends");
    assert.ok(written < sent.length);
    holder.close();
    assert.ok(same(await readAll(client), sent));
    await sending;
    await backend.stop();
  },
);
