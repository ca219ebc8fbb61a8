// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** TLS that ends at the balancer: with epoll too, whose other listeners are served beside it. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { chunks, writeAll } from "../../lib/core/connection.ts";
import type { SessionRecord } from "../../lib/dataplane/record.ts";
import { startBackend, startMirror, startNamedBackend, type TestBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import {
  ask,
  askUntilGone,
  bytes,
  joined,
  pattern,
  readAll,
  readExactly,
  same,
  text,
} from "../support/bytes.ts";
import { startNodeBackend } from "../support/node_backend.ts";
import { onEachEngineWithTls, type TestCertificate } from "../support/tls_certificates.ts";
import { connectTls, runClient, shownTo, startTls } from "../support/tls_client.ts";
import { hello, serverName } from "../wire/hello_builder.ts";
import { HELLOS } from "../wire/recorded.ts";

const MIB = 2 ** 20;

function startEcho(): TestBackend {
  return startBackend(async (conn) => {
    for await (const chunk of chunks(conn)) await writeAll(conn, chunk);
  });
}

function files({ cert, key }: TestCertificate): { cert: string; key: string } {
  return { cert, key };
}

/** A balancer whose listener opens TLS with these certificates. */
function start(
  engine: EngineName,
  backend: string,
  certificates: readonly TestCertificate[],
  { tls = {}, ...more }: {
    readonly tls?: Record<string, unknown>;
    readonly listener?: Record<string, unknown>;
    readonly otherListeners?: readonly Record<string, unknown>[];
    readonly pool?: Record<string, unknown>;
    readonly workers?: number;
  } = {},
): Promise<TestBalancer> {
  return startTestBalancer({
    engine,
    backends: [backend],
    ...more,
    listener: { tls: { certificates: certificates.map(files), ...tls }, ...more.listener },
  });
}

/** How a session has ended whose client was turned away. */
function refusal({ end, why, pool, attempts }: SessionRecord): unknown[] {
  assert.deepEqual([pool, attempts], [undefined, 0]);
  return [end, why];
}

onEachEngineWithTls(
  "a client is shown the certificate of the name that it asks for, and the backend gets plain text",
  async (engine, { a, b, authority }) => {
    await using mirror = startMirror({ says: "mirror:" });
    await using balancer = await start(engine, mirror.address, [a, b], { tls: { alpn: ["h2", "http/1.1"] } });
    for (const [i, name] of ["a.example", "B.example", "x.wild.example"].entries()) {
      using client = await startTls(balancer.port, name, authority.pair.cert);
      await writeAll(client, bytes("hello"));
      await client.closeWrite();
      assert.equal(text(await readAll(client)), "mirror:hello");
      const record = (await balancer.waitForRecords(i + 1))[i];
      assert.deepEqual(
        [record?.server_name, record?.tls, record?.end, record?.bytes_in, record?.bytes_out, record?.subject],
        [name.toLowerCase(), "TLSv1.3", "done", 5, 12, undefined],
      );
    }
    assert.deepEqual(await Promise.all([shownTo(balancer.port, "other.example"), shownTo(balancer.port)]), [
      "a.example",
      "a.example",
    ]);
  },
);

onEachEngineWithTls(
  "the protocol is agreed upon as the listener likes it, and the least version is kept",
  async (engine, { a }) => {
    const backend = startEcho();
    await using balancer = await start(engine, backend.address, [a], {
      tls: { alpn: ["h2", "http/1.1"], min_version: "1.3" },
    });
    const client = await connectTls(balancer.port, { ALPNProtocols: ["http/1.1", "h2"] });
    assert.equal(client.alpnProtocol, "h2");
    const { localPort = 0 } = client;
    client.destroy();
    const { alpn, tls } = await balancer.recordOf(localPort);
    assert.deepEqual([alpn, tls], [["h2"], "TLSv1.3"]);
    assert.match(await runClient(balancer.port, ["-tls1_2"]), /alert protocol version/);
    assert.match(await runClient(balancer.port, ["-alpn", "imap"]), /alert no application protocol/);
    const [, ...refused] = await balancer.waitForRecords(3);
    assert.deepEqual(refused.map(refusal).toSorted(), [
      ["tls_failed", "it has no version of TLS that is wanted"],
      ["tls_failed", "it wants none of the protocols that it was offered, or offers none (alpn)"],
    ]);
    await backend.stop();
  },
);

for (const version of ["tls1_2", "tls1_3"]) {
  onEachEngineWithTls(
    `with client_ca only a certificate of that authority lets in, and its subject is in the record (${version})`,
    async (engine, { a, authority, client, stranger, expired }) => {
      const backend = startEcho();
      await using balancer = await start(engine, backend.address, [a], {
        tls: { client_ca: authority.cert },
      });
      const run = (...args: string[]): Promise<string> => runClient(balancer.port, [`-${version}`, ...args]);
      assert.match(await run("-cert", client.cert, "-key", client.key), /hello\n/);
      const [letIn] = await balancer.waitForRecords(1);
      assert.equal(letIn?.subject, "O=Clients, CN=client one");
      for (const { cert, key } of [stranger, expired]) {
        assert.doesNotMatch(await run("-cert", cert, "-key", key), /hello\n/);
      }
      assert.match(await run(), /alert certificate required|alert handshake failure/);
      const [, ...refused] = await balancer.waitForRecords(4);
      const untrusted = "its certificate has expired, or is from none that is trusted here";
      assert.deepEqual(refused.map(refusal).toSorted(), [
        ["tls_failed", "it has shown no certificate"],
        ["tls_failed", untrusted],
        ["tls_failed", untrusted],
      ]);
      assert.equal(backend.accepted, 1);
      await backend.stop();
    },
  );

  onEachEngineWithTls(
    `a resumed session lets no one in whose certificate was not verified there, whatever listener and name it began with (${version})`,
    async (engine, { a, b, authority, client, folder }) => {
      const backend = startEcho();
      // All listeners of one worker could resume one another's sessions.
      await using balancer = await start(engine, backend.address, [a, b], {
        workers: 1,
        otherListeners: [
          {
            name: "strict",
            tls: { certificates: [files(a), files(b)], client_ca: authority.cert },
          },
        ],
      });
      const [open = 0, strict = 0] = balancer.ports;
      const session = `${folder}/resumed-${engine}-${version}.pem`;
      const run = (port: number, name: string, ...args: string[]): Promise<string> =>
        runClient(port, [`-${version}`, "-servername", name, ...args]);
      const shows = ["-cert", client.cert, "-key", client.key];

      assert.match(await run(open, "a.example", "-sess_out", session), /hello\n/);
      for (const name of ["a.example", "b.example"]) {
        for (const shown of [[], shows]) {
          const output = await run(strict, name, "-sess_in", session, ...shown);
          // It is refused, or begun anew with the certificate.
          assert.equal(/hello\n/.test(output), /^New, /m.test(output) && shown.length > 0, output);
        }
      }
      assert.match(await run(strict, "a.example", ...shows, "-sess_out", session), /hello\n/);
      assert.match(await run(strict, "a.example", ...shows, "-sess_in", session), /^Reused, [^]*hello\n/m);
      const records = await balancer.waitForRecords(7);
      const served = records.filter(({ end, listener }) => listener === "strict" && end === "done");
      assert.ok(served.length >= 2);
      for (const { subject } of served) assert.equal(subject, "O=Clients, CN=client one");
      await backend.stop();
    },
  );
}

async function passOn(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  for await (const chunk of chunks(from)) await writeAll(to, chunk);
  await to.closeWrite();
}

/** Sends a header before all that its clients say, in one segment with the first of it or byte by byte. */
function startIntroducing(port: number, header: Uint8Array, how: "together" | "byte by byte"): TestBackend {
  return startBackend(async (conn) => {
    using behind = await Deno.connect({ hostname: "127.0.0.1", port });
    behind.setNoDelay();
    const buffer = new Uint8Array(16_384);
    const filled = await conn.read(buffer) ?? 0;
    const first = joined([header, buffer.subarray(0, filled)]);
    if (how === "together") await writeAll(behind, first);
    else {
      for (const byte of first) {
        await writeAll(behind, Uint8Array.of(byte));
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
    await Promise.all([passOn(conn, behind), passOn(behind, conn)]);
  });
}

onEachEngineWithTls(
  "a PROXY header comes before TLS, in one piece with it or byte by byte, and names the client",
  async (engine, { a, authority }) => {
    await using mirror = startMirror();
    await using balancer = await start(engine, mirror.address, [a], {
      listener: { proxy_protocol: { from: ["127.0.0.1"] } },
    });
    const header = bytes("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n");
    for (const [i, how] of (["together", "byte by byte"] as const).entries()) {
      const front = startIntroducing(balancer.port, header, how);
      using client = await startTls(front.port, "a.example", authority.pair.cert);
      await writeAll(client, bytes("hello"));
      await client.closeWrite();
      assert.equal(text(await readAll(client)), "hello");
      const record = (await balancer.waitForRecords(i + 1))[i];
      assert.deepEqual([record?.client, record?.tls, record?.bytes_in, record?.end], [
        "192.0.2.1:56324",
        "TLSv1.3",
        5,
        "done",
      ]);
      await front.stop();
    }
    // TLS at once is no header.
    assert.equal((await askUntilGone(balancer.port, hello(serverName("a.example")))).length, 0);
    const refused = (await balancer.waitForRecords(3))[2] ?? assert.fail();
    assert.equal(refusal(refused)[0], "proxy_invalid");
  },
);

onEachEngineWithTls(
  "20 MiB arrive as they were sent in both directions, and count as plain text",
  async (engine, { a, authority }) => {
    const [question, answer] = [pattern(20 * MIB, 3), pattern(20 * MIB, 5)];
    const heard = Promise.withResolvers<Uint8Array>();
    const backend = startBackend(async (conn) => {
      const sending = writeAll(conn, answer).then(() => conn.closeWrite());
      heard.resolve(await readAll(conn));
      await sending;
    });
    await using balancer = await start(engine, backend.address, [a]);
    using client = await startTls(balancer.port, "a.example", authority.pair.cert);
    const sending = writeAll(client, question).then(() => client.closeWrite());
    assert.ok(same(await readAll(client), answer));
    await sending;
    assert.ok(same(await heard.promise, question));
    const [record] = await balancer.waitForRecords(1);
    assert.deepEqual([record?.bytes_in, record?.bytes_out, record?.end], [20 * MIB, 20 * MIB, "done"]);
    await backend.stop();
  },
);

onEachEngineWithTls(
  "an end of one direction is passed on as that, whichever side ends first",
  async (engine, { a, authority }) => {
    const heard: string[] = [];
    const backend = startBackend(async (conn) => {
      const first = text(await readExactly(conn, 1));
      if (first === "b") {
        await writeAll(conn, bytes("all"));
        await conn.closeWrite();
        heard.push(text(await readAll(conn)));
      } else {
        heard.push(text(await readAll(conn)));
        await writeAll(conn, bytes("answer"));
      }
    });
    await using balancer = await start(engine, backend.address, [a]);
    {
      using client = await startTls(balancer.port, "a.example", authority.pair.cert);
      await writeAll(client, bytes("client first"));
      await client.closeWrite();
      assert.equal(text(await readAll(client)), "answer");
    }
    {
      using client = await startTls(balancer.port, "a.example", authority.pair.cert);
      await writeAll(client, bytes("b"));
      assert.equal(text(await readAll(client)), "all");
      await writeAll(client, bytes("and more"));
      await client.closeWrite();
      await until(() => heard.length === 2, "the backend has heard it");
    }
    assert.deepEqual(heard, ["lient first", "and more"]);
    for (const { end } of await balancer.waitForRecords(2)) assert.equal(end, "done");
    await backend.stop();
  },
);

onEachEngineWithTls(
  "a backend that resets is no regular end of TLS for the client, and a client that resets is gone at once",
  async (engine, { a, authority }) => {
    const ends: string[] = [];
    const backend = await startNodeBackend((socket) => {
      socket.once("end", () => ends.push("end"));
      socket.on("data", (data) => {
        if (data.toString() !== "die") return;
        socket.write("half of it", () => setTimeout(() => socket.resetAndDestroy(), 50));
      });
    });
    await using balancer = await start(engine, `127.0.0.1:${backend.port}`, [a]);
    using client = await startTls(balancer.port, "a.example", authority.pair.cert);
    await writeAll(client, bytes("die"));
    assert.equal(text(await readExactly(client, 10)), "half of it");
    await assert.rejects(readAll(client), /close_notify|[Uu]nexpected|reset/);
    assert.equal((await balancer.waitForRecords(1))[0]?.end, "backend_reset");

    const leaving = await connectTls(balancer.port);
    await new Promise<void>((resolve) => leaving.write("stay", () => resolve()));
    await balancer.accepted(leaving.localPort ?? 0);
    leaving.resetAndDestroy();
    assert.equal((await balancer.waitForRecords(2))[1]?.end, "client_reset");
    await until(() => ends.length === 1, "the backend has seen that it is gone");
    await backend.stop();
  },
);

onEachEngineWithTls(
  "what is not done within handshake_timeout is refused, with what it waited for",
  async (engine, { a }) => {
    const backend = startEcho();
    await using balancer = await start(engine, backend.address, [a], {
      listener: { handshake_timeout: "400ms" },
    });
    const real = HELLOS[0]?.bytes ?? assert.fail();
    const cases: [Uint8Array, string][] = [
      [new Uint8Array(), "its ClientHello"],
      [real.subarray(0, 40), "its ClientHello"],
      // It never answers what the server says.
      [real, "TLS"],
    ];
    for (const [i, [said, what]] of cases.entries()) {
      await askUntilGone(balancer.port, said);
      const record = (await balancer.waitForRecords(i + 1))[i] ?? assert.fail();
      assert.deepEqual(refusal(record), ["handshake_timeout", `the client was not done with ${what}`]);
      assert.ok(record.duration_ms >= 400 && record.duration_ms < 3_000, `${record.duration_ms} ms`);
    }
    assert.equal(backend.accepted, 0);
    await backend.stop();
  },
);

onEachEngineWithTls(
  "what is no TLS is refused, and others are served meanwhile",
  async (engine, { a, authority }) => {
    await using mirror = startMirror();
    await using balancer = await start(engine, mirror.address, [a]);
    const real = HELLOS[0]?.bytes ?? assert.fail();
    const cases: [string, Uint8Array, string, RegExp][] = [
      ["HTTP", bytes("GET / HTTP/1.1\r\n\r\n"), "tls_failed", /^it does not speak TLS$/],
      ["zeros", new Uint8Array(4_096), "tls_failed", /^it does not speak TLS$/],
      [
        "half a hello",
        hello(serverName("a.example")).subarray(0, -9),
        "hello_invalid",
        /before its ClientHello was whole/,
      ],
      ["random behind a hello", joined([real, pattern(4_096, 9)]), "tls_failed", /no handshake of TLS/],
      ["another hello behind it", joined([real, real]), "tls_failed", /./],
      ["a hello without anything to agree upon", hello(serverName("a.example")), "tls_failed", /./],
    ];
    using client = await startTls(balancer.port, "a.example", authority.pair.cert);
    for (const [i, [what, said, end, why]] of cases.entries()) {
      await ask(balancer.port, said).catch(() => {});
      const record = (await balancer.waitForRecords(i + 1))[i] ?? assert.fail();
      assert.equal(refusal(record)[0], end, `${what}: ${record.why}`);
      assert.match(record.why ?? "", why, what);
    }
    await writeAll(client, bytes("still here"));
    await client.closeWrite();
    assert.equal(text(await readAll(client)), "still here");
    assert.equal(balancer.log.events.some(({ level }) => level === "error"), false);
  },
);

onEachEngineWithTls(
  "listeners with and without TLS share a pool, with its limit and its queue",
  async (engine, { a, authority }) => {
    await using backend = startNamedBackend("one");
    await using balancer = await startTestBalancer({
      engine,
      backends: [{ ...backend.member, max_connections: 1 }],
      pool: { queue: { size: 10, timeout: "10s" } },
      otherListeners: [{ name: "secure", tls: { certificates: [files(a)] } }],
      workers: 1,
    });
    const [plain = 0, secure = 0] = balancer.ports;
    const enterPlain = (): Promise<Deno.Conn> => Deno.connect({ hostname: "127.0.0.1", port: plain });
    const enterSecure = (): Promise<Deno.Conn> => startTls(secure, "a.example", authority.pair.cert);
    for (const [holds, waits] of [[enterPlain, enterSecure], [enterSecure, enterPlain]] as const) {
      const holder = await holds();
      assert.equal(text(await readExactly(holder, 4)), "one\n");
      const waiter = await waits();
      await until(() => balancer.queued() === 1, "the other waits");
      holder.close();
      assert.equal(text(await readExactly(waiter, 4)), "one\n");
      waiter.close();
      await until(() => balancer.active(0) === 0, "both are gone");
    }
    assert.equal(backend.most, 1);
    const records = await balancer.waitForRecords(4);
    assert.deepEqual(records.map(({ queue_ms }) => queue_ms !== undefined).toSorted(), [
      false,
      false,
      true,
      true,
    ]);
  },
);
