// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/**
 * What is relayed through TLS, and how its ends are told. Two engines stand in a row: the first opens TLS to the second, as it would to
 * a backend.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { connect as connectSecure } from "node:tls";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { until } from "../support/balancer.ts";
import { bytes, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { noOpenssl } from "../support/certificates.ts";
import { startNodeBackend } from "../support/node_backend.ts";
import { testCertificates } from "../support/tls_certificates.ts";
import { startTls } from "../support/tls_client.ts";
import { startTlsRig, type TlsRig, trusting } from "../support/tls_rig.ts";

const MIB = 2 ** 20;

interface Row {
  /** Takes plain text, and opens TLS to `inner`. */
  readonly outer: TlsRig;
  /** Opens TLS for clients. */
  readonly inner: TlsRig;
  readonly authority: string;
}

/** Runs with both of them before a backend. */
async function inRow(
  backend: Pick<TestBackend, "port" | "stop"> | Awaited<ReturnType<typeof startNodeBackend>>,
  run: (row: Row) => Promise<void>,
): Promise<void> {
  const { a, authority } = await testCertificates();
  {
    const server = { keys: { pairs: [a.pair], authorities: undefined } };
    await using inner = await startTlsRig({ port: backend.port, server });
    const client = { keys: trusting(authority.pair.cert), host: "a.example" };
    await using outer = await startTlsRig({ port: inner.port, client });
    await run({ outer, inner, authority: authority.pair.cert });
  }
  await backend.stop();
}

function test(sentence: string, fn: () => Promise<void>): void {
  Deno.test({ name: sentence + noOpenssl.why, ignore: noOpenssl.ignore, fn });
}

/** Sends all of it in pieces of sizes between 1 and 70 000 bytes. */
async function sendInPieces(conn: Pick<Deno.Conn, "write" | "closeWrite">, data: Uint8Array): Promise<void> {
  let size = 1;
  for (let sent = 0; sent < data.length; sent += size) {
    size = 1 + (size * 7_919 + 13) % 70_000;
    await writeAll(conn, data.subarray(sent, sent + size));
  }
  await conn.closeWrite();
}

test("pieces of all sizes arrive in order in both directions, and each end is told as an end", async () => {
  const [question, answer] = [pattern(5 * MIB, 3), pattern(6 * MIB, 4)];
  const received: Uint8Array[] = [];
  const backend = startBackend(async (conn) => {
    const [got] = await Promise.all([readAll(conn), sendInPieces(conn, answer)]);
    received.push(got);
  });
  await inRow(backend, async ({ outer, inner, authority }) => {
    const clients = [
      await Deno.connect({ hostname: "127.0.0.1", port: outer.port }),
      await startTls(inner.port, "a.example", authority),
    ];
    await Promise.all(clients.map(async (client) => {
      const [got] = await Promise.all([readAll(client), sendInPieces(client, question)]);
      assert.ok(same(got, answer));
      client.close();
    }));
    const sessions = [...outer.sessions, ...inner.sessions];
    await Promise.all(sessions.map((it) => it.finishedOnce));
    assert.equal(sessions.length, 3);
    for (const { told, counted, pendingWrites } of sessions) {
      assert.deepEqual(told.filter((it) => it !== "opened").toSorted(), [
        "finished",
        "in ended",
        "out ended",
      ]);
      assert.deepEqual([counted.in, counted.out, pendingWrites], [question.length, answer.length, 0]);
    }
    await until(() => received.length === 2, "the backend has read both");
    assert.ok(received.every((it) => same(it, question)));
  });
});

test("a side that has ended is still sent to, whichever ends first", async () => {
  const large = pattern(4 * MIB);
  const ends: string[] = [];
  const backend = startBackend(async (conn) => {
    const first = text(await readExactly(conn, 1));
    if (first === "b") {
      await conn.closeWrite();
      ends.push(text(await readAll(conn)));
    } else {
      ends.push(text(await readAll(conn)));
      await writeAll(conn, large);
      await conn.closeWrite();
    }
  });
  await inRow(backend, async ({ outer, inner, authority }) => {
    for (const open of [() => startTls(inner.port, "a.example", authority), () => plain(outer.port)]) {
      const first = await open();
      await writeAll(first, bytes("client first"));
      await first.closeWrite();
      // A client of TLS that were only cut off would fail here.
      assert.ok(same(await readAll(first), large));
      first.close();

      const second = await open();
      await writeAll(second, bytes("b"));
      assert.equal((await readAll(second)).length, 0);
      await writeAll(second, bytes("and the rest"));
      await second.closeWrite();
      second.close();
    }
    const sessions = [...outer.sessions, ...inner.sessions];
    await Promise.all(sessions.map((it) => it.finishedOnce));
    await until(() => ends.length === 4, "the backend has read all");
    assert.deepEqual(ends.toSorted(), ["and the rest", "and the rest", "lient first", "lient first"]);
    assert.ok(sessions.every(({ told }) => told.includes("in ended") && told.includes("out ended")));
  });
});

function plain(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

test("a client that is cut off is gone, and has not ended", async () => {
  const backend = startBackend((conn) => readAll(conn).then(() => {}));
  await inRow(backend, async ({ outer, inner }) => {
    const client = connectSocket({ host: "127.0.0.1", port: outer.port }).on("error", () => {});
    client.write("hello");
    const [first, second] = [await outer.session(0), await inner.session(0)];
    await until(() => second.counted.in === 5, "it has come through");
    client.resetAndDestroy();
    await Promise.all([first.finishedOnce, second.finishedOnce]);
    assert.equal(first.told[0], "client gone");
    assert.deepEqual(second.told.slice(0, 2), ["opened", "client gone"]);
  });
});

test("a backend that is cut off is gone, and the client has all that it had sent", async () => {
  const answer = pattern(300_000);
  const backend = await startNodeBackend((socket) => {
    socket.write(answer);
    socket.once("data", () => socket.resetAndDestroy());
  });
  await inRow(backend, async ({ outer, inner, authority }) => {
    const client = await startTls(inner.port, "a.example", authority);
    assert.ok(same(await readExactly(client, answer.length), answer));
    await writeAll(client, bytes("go"));
    // It is told that this is no regular end.
    await assert.rejects(readAll(client), Deno.errors.UnexpectedEof);
    client.close();

    const unaware = await plain(outer.port);
    await readExactly(unaware, answer.length);
    await writeAll(unaware, bytes("go"));
    assert.equal((await readAll(unaware)).length, 0);
    unaware.close();
    const sessions = [...outer.sessions, ...inner.sessions];
    await Promise.all(sessions.map((it) => it.finishedOnce));
    assert.equal(sessions.length, 3);
    for (const { told } of sessions) assert.ok(told.includes("backend gone") && !told.includes("out ended"));
  });
});

/** Of this thread: others run tests of their own meanwhile. */
function ownMemory(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

for (const side of ["client", "backend"]) {
  test(`of a ${side} that reads nothing nothing more is taken in, and it gets all of it later`, async () => {
    const data = pattern(50 * MIB);
    const read = Promise.withResolvers<void>();
    const backend = startBackend(async (conn) => {
      if (side === "client") {
        await readExactly(conn, 1);
        await writeAll(conn, data);
      } else {
        await read.promise;
        for (let left = data.length; left > 0;) {
          const got = await readExactly(conn, Math.min(left, MIB));
          assert.ok(same(got, data.subarray(data.length - left, data.length - left + got.length)));
          left -= got.length;
        }
      }
      await conn.closeWrite();
      await readAll(conn);
    });
    await inRow(backend, async ({ outer, inner }) => {
      const client = await plain(outer.port);
      const moved = (): number =>
        [...outer.sessions, ...inner.sessions].reduce(
          (sum, { counted }) => sum + counted.in + counted.out,
          0,
        );
      const before = ownMemory();
      const sending = side === "client" ? writeAll(client, bytes("?")) : writeAll(client, data);
      let last = 0;
      while (last === 0 || last < moved()) {
        last = moved();
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      // What systems hold between four sockets, and no more.
      assert.ok(last < 48 * MIB, `${last} bytes were taken in`);
      const grown = ownMemory() - before;
      assert.ok(grown < 40 * MIB, `memory has grown by ${grown} bytes`);
      read.resolve();
      if (side === "client") {
        const got = await readAll(client);
        assert.ok(same(got, data));
      }
      await sending;
      await client.closeWrite();
      await readAll(client);
      client.close();
      await Promise.all([...outer.sessions, ...inner.sessions].map((it) => it.finishedOnce));
    });
  });
}

test("a client that resets is noticed while TLS is opened, and after that until it is relayed", async () => {
  const { a } = await testCertificates();
  const server = { keys: { pairs: [a.pair], authorities: undefined } };
  await using rig = await startTlsRig({ server });
  const early = connectSocket({ host: "127.0.0.1", port: rig.port }).on("error", () => {});
  await once(early, "connect");
  early.write(new Uint8Array([22, 3, 1, 0, 200, 1]));
  const first = await rig.session(0);
  await until(() => early.bytesWritten === 6, "the hello has begun");
  early.resetAndDestroy();
  await first.finishedOnce;
  assert.deepEqual(first.told, ["client gone"]);

  const late = connectSocket({ host: "127.0.0.1", port: rig.port }).on("error", () => {});
  const secure = connectSecure({ socket: late, rejectUnauthorized: false }).on("error", () => {});
  await once(secure, "secureConnect");
  const second = await rig.session(1);
  await until(() => second.facts !== undefined, "TLS is open");
  late.resetAndDestroy();
  await second.finishedOnce;
  assert.deepEqual(second.told, ["opened", "client gone"]);
});
