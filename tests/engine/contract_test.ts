// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What every engine must do, to the letter: the relay, its ends, and what it tells of them. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { until } from "../support/balancer.ts";
import { bytes, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { startRig } from "../support/engine_rig.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { startNodeBackend } from "../support/node_backend.ts";

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

/** Numbers that look random and are the same in every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return (state >>> 0) % below;
  };
}

/** Writes in pieces of random sizes, with random stalls between them. */
async function dribble(
  conn: Deno.TcpConn,
  data: Uint8Array,
  random: (below: number) => number,
): Promise<void> {
  conn.setNoDelay(true);
  for (let sent = 0; sent < data.length;) {
    const size = 1 + random(random(3) === 0 ? 60_000 : 900);
    await writeAll(conn, data.subarray(sent, sent + size));
    sent += size;
    if (random(4) === 0) await new Promise((resolve) => setTimeout(resolve, random(4)));
  }
}

onEachEngine(
  "random pieces with random stalls arrive in order in both directions, and are counted",
  async (engine) => {
    const answer = pattern(300_000, 7);
    const received: Uint8Array[] = [];
    const backend = startBackend(async (conn) => {
      const random = randomFrom(received.length + 40);
      const [data] = await Promise.all([
        readAll(conn),
        dribble(conn, answer, random).then(() => conn.closeWrite()),
      ]);
      received.push(data);
    });
    {
      await using rig = await startRig(engine, backend);
      await Promise.all([1, 2, 3, 4].map(async (seed) => {
        const question = pattern(200_000 + seed, seed);
        using client = await connect(rig.port);
        const [got] = await Promise.all([
          readAll(client),
          dribble(client, question, randomFrom(seed)).then(() => client.closeWrite()),
        ]);
        assert.ok(same(got, answer));
      }));
      await Promise.all(rig.sessions.map((session) => session.finishedOnce));
      assert.deepEqual(received.map((it) => it.length).sort(), [200_001, 200_002, 200_003, 200_004]);
      assert.ok(received.every((it) => same(it, pattern(it.length, it.length - 200_000))));
      for (const { counted, told, pendingWrites } of rig.sessions) {
        assert.equal(counted.out, answer.length);
        assert.equal(told.at(-1), "finished");
        assert.deepEqual(told.toSorted(), ["finished", "in ended", "out ended"]);
        assert.equal(pendingWrites, 0);
      }
    }
    await backend.stop();
  },
);

onEachEngine(
  "a client that reads nothing holds up its backend, bounds what is held back, and gets all of it later",
  async (engine) => {
    const answer = pattern(24 * 2 ** 20);
    let sent = 0;
    const backend = startBackend(async (conn) => {
      for (; sent < answer.length; sent += 65_536) await writeAll(conn, answer.subarray(sent, sent + 65_536));
      await conn.closeWrite();
      await readAll(conn);
    });
    {
      await using rig = await startRig(engine, backend);
      using client = await connect(rig.port);
      const session = await rig.session(0);
      await until(() => session.pendingWrites === 1, "a write is not taken");
      let [before, sinceMs] = [sent, performance.now()];
      await until(() => {
        if (sent !== before) [before, sinceMs] = [sent, performance.now()];
        return performance.now() - sinceMs > 300;
      }, "the backend is held up");
      assert.ok(sent < answer.length, `all ${sent} bytes were taken from the backend`);
      assert.equal(session.pendingWrites, 1);
      const held = rig.heldBytes();
      if (held !== undefined) assert.ok(held > 0 && held <= 256 * 1024, `${held} bytes held back`);
      assert.ok(same(await readAll(client), answer));
      await client.closeWrite();
      await session.finishedOnce;
      assert.equal(session.pendingWrites, 0);
      assert.equal(rig.heldBytes() ?? 0, 0);
    }
    await backend.stop();
  },
);

onEachEngine(
  "a backend that reads nothing while its client ends gets all of it, and the end, when it reads",
  async (engine) => {
    const question = pattern(16 * 2 ** 20);
    const go = Promise.withResolvers<void>();
    const got = Promise.withResolvers<Uint8Array>();
    const backend = startBackend(async (conn) => {
      await go.promise;
      got.resolve(await readAll(conn));
      await writeAll(conn, bytes("thanks"));
    });
    {
      await using rig = await startRig(engine, backend);
      using client = await connect(rig.port);
      const sending = writeAll(client, question).then(() => client.closeWrite());
      const session = await rig.session(0);
      await until(() => session.pendingWrites === 1, "the backend holds it up");
      go.resolve();
      await sending;
      assert.ok(same(await got.promise, question));
      assert.equal(text(await readAll(client)), "thanks");
      await session.finishedOnce;
      assert.deepEqual(session.counted, { in: question.length, out: 6 });
    }
    await backend.stop();
  },
);

onEachEngine(
  "a client that sends all before it reads does so, however much its backend sends meanwhile",
  async (engine) => {
    const [question, answer] = [pattern(24 * 2 ** 20, 1), pattern(24 * 2 ** 20, 2)];
    const got = Promise.withResolvers<Uint8Array>();
    const backend = startBackend(async (conn) => {
      const sending = writeAll(conn, answer).then(() => conn.closeWrite());
      got.resolve(await readAll(conn));
      await sending;
    });
    {
      await using rig = await startRig(engine, backend);
      using client = await connect(rig.port);
      const session = await rig.session(0);
      await until(() => session.pendingWrites === 1, "the client holds it up");
      await writeAll(client, question);
      await client.closeWrite();
      assert.ok(same(await readAll(client), answer));
      assert.ok(same(await got.promise, question));
      await session.finishedOnce;
    }
    await backend.stop();
  },
);

onEachEngine("each direction ends by itself, whichever is first", async (engine) => {
  for (const first of ["client", "backend"]) {
    const backend = startBackend(async (conn) => {
      if (first === "backend") await conn.closeWrite();
      const question = await readAll(conn);
      if (first === "client") await writeAll(conn, question);
    });
    {
      await using rig = await startRig(engine, backend);
      using client = await connect(rig.port);
      if (first === "backend") assert.equal(await client.read(new Uint8Array(1)), null);
      await writeAll(client, bytes("late"));
      await client.closeWrite();
      assert.equal(text(await readAll(client)), first === "client" ? "late" : "");
      const { told, finishedOnce } = await rig.session(0);
      await finishedOnce;
      const order = ["in ended", "out ended", "finished"];
      assert.deepEqual(told, first === "client" ? order : [order[1], order[0], order[2]]);
    }
    await backend.stop();
  }
});

onEachEngine("a reset of the backend is passed on after all that came before it", async (engine) => {
  const answer = pattern(3 * 2 ** 20);
  const backend = await startNodeBackend((socket) => {
    // Once all has left this process it is on its way, and the reset behind it.
    socket.write(answer, () => setTimeout(() => socket.resetAndDestroy(), 50));
  });
  {
    await using rig = await startRig(engine, backend);
    using client = await connect(rig.port);
    const got = await readUntilCut(client, engine);
    assert.ok(same(got, answer.subarray(0, got.length)));
    const { told, finishedOnce, counted } = await rig.session(0);
    if (engine === "epoll") await finishedOnce;
    assert.equal(told[0], "backend gone");
    assert.equal(counted.out, got.length);
  }
  await backend.stop();
});

onEachEngine(
  "a backend that has ended, and is reset under a client that sends on, ends the session",
  async (engine) => {
    const backend = await startNodeBackend((socket) => {
      socket.end("answer");
      socket.once("data", () => socket.resetAndDestroy());
    });
    {
      await using rig = await startRig(engine, backend);
      using client = await connect(rig.port);
      assert.equal(text(await readAll(client)), "answer");
      const session = await rig.session(0);
      // The first is taken by the backend's system, which answers the next one with a reset.
      while (!session.told.includes("backend gone")) {
        await writeAll(client, bytes("on"));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      if (engine === "epoll") await session.finishedOnce;
    }
    await backend.stop();
  },
);

onEachEngine(
  "a reset of the client ends its session, and its backend sees no regular end where that can be told",
  async (engine) => {
    const seen = Promise.withResolvers<string>();
    const backend = await startNodeBackend((socket) => {
      socket.resume();
      socket.once("end", () => seen.resolve("end")).once("error", (error) => seen.resolve(String(error)));
    });
    {
      await using rig = await startRig(engine, backend);
      const client = connectSocket({ host: "127.0.0.1", port: rig.port });
      await once(client, "connect");
      client.write("hello");
      const session = await rig.session(0);
      await until(() => session.counted.in === 5, "it was passed on");
      client.resetAndDestroy();
      assert.match(await seen.promise, engine === "epoll" ? /ECONNRESET/ : /end/);
      await session.finishedOnce;
      assert.equal(session.told[0], "client gone");
    }
    await backend.stop();
  },
);

onEachEngine(
  "a session may be reset at any step, by either side, and nothing of it is left",
  async (engine) => {
    const random = randomFrom(2);
    const backend = await startNodeBackend((socket) => {
      const step = random(5);
      socket.on("data", (chunk) => {
        if (step === 0) socket.resetAndDestroy();
        else if (step === 1) socket.end(chunk);
        else socket.write(chunk);
      });
      if (step === 2) setTimeout(() => socket.resetAndDestroy(), random(5));
      socket.once("end", () => step === 3 ? socket.resetAndDestroy() : socket.end());
    });
    {
      await using rig = await startRig(engine, backend);
      await Promise.all(Array.from({ length: 120 }, async (_, i) => {
        const client = connectSocket({ host: "127.0.0.1", port: rig.port });
        const isClosed = new Promise((resolve) => client.on("close", resolve));
        client.on("error", () => {}).resume();
        if (i % 6 !== 0) client.write(pattern(1 + random(100_000), i + 1));
        if (i % 3 === 0) setTimeout(() => client.resetAndDestroy(), random(8));
        else client.end();
        await isClosed;
      }));
      for (const session of rig.sessions) {
        await until(() => session.isOver, `a session is over: ${session.told}`);
        assert.ok(session.told.every((it) => !it.startsWith("fault")), session.told.join());
        assert.ok(session.told.filter((it) => it === "finished").length <= 1, session.told.join());
      }
    }
    await backend.stop();
  },
);

onEachEngine(
  "a dial that is refused says so; one that was given up says nothing, and leaves nothing",
  async (engine) => {
    const backend = startBackend(() => {});
    const { port } = backend;
    await backend.stop();
    await using rig = await startRig(engine, { port });
    using client = await connect(rig.port);
    assert.equal(await client.read(new Uint8Array(1)), null);
    assert.deepEqual((await rig.session(0)).told, ["dialFailed: connection refused"]);
    let hasTold = false;
    const tell = (): void => void (hasTold = true);
    const cancel = rig.engine.dial([{ transport: "tcp", host: "127.0.0.1", port: rig.port }], {
      connected: tell,
      dialFailed: tell,
      fault: tell,
    });
    assert.equal(hasTold, false, "nothing is told before the call has returned");
    cancel();
    await new Promise<void>((resolve) => rig.engine.later(50, resolve));
    assert.equal(hasTold, false);
  },
);

onEachEngine("small answers after one another are not held back (RFC 896)", async (engine) => {
  const backend = startBackend(async (conn) => {
    conn.setNoDelay(true);
    const letter = new Uint8Array(1);
    while (await conn.read(letter) !== null) await writeAll(conn, letter);
  });
  {
    await using rig = await startRig(engine, backend);
    using client = await connect(rig.port);
    client.setNoDelay(true);
    let slow = 0;
    for (let i = 0; i < 30; i++) {
      const startedMs = performance.now();
      // Two small segments in a row: held back, the second waits for the acknowledgement of the first, 40 ms on Linux.
      await writeAll(client, bytes("a"));
      await writeAll(client, bytes("b"));
      await readExactly(client, 2);
      if (performance.now() - startedMs >= 38) slow++;
    }
    assert.ok(slow < 15, `${slow} of 30 exchanges waited`);
  }
  await backend.stop();
});
