// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Clients that mean no good, while others are served. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { connect as connectSecure } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { chunks, writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { until } from "../support/balancer.ts";
import { bytes, pattern, text } from "../support/bytes.ts";
import { noOpenssl, opensslPath } from "../support/certificates.ts";
import { testCertificates } from "../support/tls_certificates.ts";
import { connectTls, shownTo } from "../support/tls_client.ts";
import { startTlsRig, type TlsRig } from "../support/tls_rig.ts";

/** So many clients one after another. */
const WAVE = 90;

function test(sentence: string, run: (rig: TlsRig) => Promise<void>): void {
  const fn = async (): Promise<void> => {
    const { a } = await testCertificates();
    const echo = startBackend(async (conn) => {
      for await (const chunk of chunks(conn)) await writeAll(conn, chunk);
    });
    {
      const server = { keys: { pairs: [a.pair], authorities: undefined } };
      await using rig = await startTlsRig({ port: echo.port, server });
      await run(rig);
      assert.equal(await shownTo(rig.port), "a.example", "others are still served");
    }
    await echo.stop();
  };
  Deno.test({ name: sentence + noOpenssl.why, ignore: noOpenssl.ignore, fn });
}

/** A record of TLS with this payload. */
function record(type: number, payload: Uint8Array, length = payload.length): Uint8Array {
  return Uint8Array.from([type, 3, 3, length >> 8, length & 255, ...payload]);
}

test("what is not TLS is refused with its reason", async (rig) => {
  const sent = [
    bytes("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    bytes("\x16\x03\x01\x00\x05hello"),
    pattern(70_000),
    // More than a record may have, and one that has nothing.
    record(22, pattern(100), 0xffff),
    record(23, new Uint8Array(0)),
    record(22, Uint8Array.of(1, 0xff, 0xff, 0xff)),
  ];
  for (const [i, data] of sent.entries()) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
    await writeAll(conn, data).catch(() => {});
    const session = await rig.session(i);
    await session.finishedOnce;
    assert.equal(session.told.length, 1);
    assert.match(
      session.told[0] ?? "",
      /^client: (what it sends is no handshake of TLS|no ClientHello|the handshake failed: [ -~]{1,90})$/,
    );
    conn.close();
  }
});

test("a client that ends, resets or falls silent in its handshake is given up, and its session as well", async (rig) => {
  // As far as the first byte, and as far as the last.
  const hello = await firstFlight();
  for (const [i, length] of [1, 5, 60, hello.length - 1, hello.length].entries()) {
    for (const [j, how] of ["end", "reset", "silent"].entries()) {
      const socket = connectSocket({ host: "127.0.0.1", port: rig.port }).on("error", () => {});
      await once(socket, "connect");
      socket.write(hello.subarray(0, length));
      const session = await rig.session(i * 3 + j);
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (how === "end") socket.end();
      if (how === "reset") socket.resetAndDestroy();
      // The session has a deadline.
      if (how === "silent") session.end();
      await session.finishedOnce;
      const told = {
        end: [length < hello.length ? "client: no ClientHello" : "client: it ended the connection"],
        reset: ["client gone"],
        silent: [],
      }[how];
      assert.deepEqual(session.told, told, `${how} after ${length} bytes`);
      socket.destroy();
    }
  }
});

/** What a client sends first. */
async function firstFlight(servername = "a.example"): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = connectSecure({ host: "127.0.0.1", port: listener.addr.port, servername }).on(
    "error",
    () => {},
  );
  using conn = await listener.accept();
  const buffer = new Uint8Array(20_000);
  const filled = await conn.read(buffer) ?? 0;
  client.destroy();
  return buffer.subarray(0, filled);
}

test("a handshake that comes byte by byte is whole in the end", async (rig) => {
  using front = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = connectTls(front.addr.port);
  using conn = await front.accept();
  using behind = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
  behind.setNoDelay(true);
  const back = behind.readable.pipeTo(conn.writable, { preventClose: true }).catch(() => {});
  const there = (async () => {
    for await (const chunk of chunks(conn)) {
      for (const byte of chunk) await behind.write(Uint8Array.of(byte));
    }
  })().catch(() => {});
  const socket = await client;
  socket.write("hello");
  const [answer] = await once(socket, "data");
  assert.equal(String(answer), "hello");
  socket.destroy();
  await there;
  rig.sessions[0]?.end();
  await back;
});

test("garbage within an open connection ends it, and nothing else", async (rig) => {
  const socket = connectSocket({ host: "127.0.0.1", port: rig.port }).on("error", () => {});
  const secure = connectSecure({ socket, rejectUnauthorized: false }).on("error", () => {});
  await once(secure, "secureConnect");
  secure.write("hello");
  await once(secure, "data");
  socket.write(record(23, pattern(300)));
  const session = await rig.session(0);
  await session.finishedOnce;
  assert.ok(session.told.includes("client gone"), String(session.told));
  secure.destroy();
});

test("a client that wants to negotiate again is not given that (TLS 1.2)", async (rig) => {
  const child = new Deno.Command(opensslPath(), {
    args: ["s_client", "-connect", `127.0.0.1:${rig.port}`, "-tls1_2", "-legacy_renegotiation"],
    ...{ stdin: "piped", stdout: "null", stderr: "piped" } as const,
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const stdin = child.stdin.getWriter();
  const session = await rig.session(0);
  await until(() => session.facts !== undefined, "TLS is open");
  await stdin.write(bytes("R\n"));
  await stdin.close().catch(() => {});
  await child.status;
  assert.match(await stderr, /RENEGOTIATING\n(.*\n)*.*error/);
  await session.finishedOnce;
});

test("handshakes that fail leave nothing behind, whatever names they ask for", async (rig) => {
  const hello = await firstFlight("x0000.made-up.example");
  const at = text(hello.map((byte) => byte & 127)).indexOf("x0000");
  assert.ok(at > 0);
  const named = (i: number): Uint8Array => {
    const copy = hello.slice();
    copy.set(bytes(`x${String(i).padStart(4, "0")}`), at);
    return copy;
  };
  // Well-formed, but from a client that knows no way to sign: the runtime finds out as it begins.
  const message = new Uint8Array([3, 3, ...new Uint8Array(32), 0, 0, 2, 0xc0, 0x2b, 1, 0]);
  const unsigned = record(22, new Uint8Array([1, 0, 0, message.length, ...message]));
  const kinds: Record<string, (i: number) => Uint8Array> = {
    names: named,
    halves: (i) => named(i).subarray(0, 90),
    garbage: () => bytes("GET / HTTP/1.1\r\n\r\n"),
    unsigned: () => unsigned,
  };
  const knock = async (data: Uint8Array): Promise<void> => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
    await writeAll(conn, data);
    // A session has a deadline; here it is when the client has been answered.
    if (data.length === 90) return;
    await conn.read(new Uint8Array(4096)).catch(() => {});
  };
  const wave = async (make: (i: number) => Uint8Array): Promise<number> => {
    for (let i = 0; i < WAVE; i += 30) {
      await Promise.all(Array.from({ length: 30 }, (_, j) => knock(make(i + j))));
      await until(() => rig.sessions.length >= 30, "all have come in");
      await Promise.all(rig.sessions.splice(0).map((it) => it.finishedOnce));
    }
    return await liveBytes();
  };
  for (const [kind, make] of Object.entries(kinds)) {
    await wave(make);
    const before = await wave(make);
    const grown = await wave(make) - before;
    assert.ok(grown < WAVE * 4_096, `${kind}: each has left ${Math.round(grown / WAVE)} bytes`);
  }
});

/** Bytes on the heap that are in use. */
async function liveBytes(): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 4; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return Deno.memoryUsage().heapUsed;
}
