/** TLS that the engine opens to backends: which certificates it accepts, what it shows and sends, and why it fails. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type TlsOptions, type TLSSocket } from "node:tls";
import { writeAll } from "../../lib/core/connection.ts";
import { startBackend } from "../support/backend.ts";
import { ask, bytes, readExactly, text } from "../support/bytes.ts";
import { noOpenssl } from "../support/certificates.ts";
import { testCertificates } from "../support/tls_certificates.ts";
import { startTlsRig, type TlsRigOptions, type TlsSession, trusting } from "../support/tls_rig.ts";

function test(sentence: string, fn: () => Promise<void>): void {
  Deno.test({ name: sentence + noOpenssl.why, ignore: noOpenssl.ignore, fn });
}

/** How TLS is opened to a backend. */
type Outward = NonNullable<TlsRigOptions["client"]>;

/** A backend that speaks TLS, and answers `hello` to what it is sent. */
async function withBackend(
  options: TlsOptions,
  run: (port: number, served: readonly TLSSocket[], shown: readonly unknown[]) => Promise<void>,
): Promise<void> {
  const served: TLSSocket[] = [];
  // Of the certificates that it was shown, the names.
  const shown: unknown[] = [];
  const server = createServer(options, (socket) => {
    served.push(socket);
    shown.push(socket.getPeerCertificate()?.subject?.CN);
    socket.on("error", () => {}).once("data", () => socket.end("hello"));
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await run(typeof address === "object" && address !== null ? address.port : assert.fail(), served, shown);
  for (const socket of served) socket.destroy();
  server.close();
  await once(server, "close");
}

/** One session to a backend: what its client was answered, and what was told. */
async function tryOnce(
  port: number,
  client: Outward,
  preface?: Uint8Array,
): Promise<{ answer: string; session: TlsSession }> {
  await using rig = await startTlsRig({ port, client, ...(preface === undefined ? {} : { preface }) });
  const answer = await ask(rig.port, bytes("question"));
  const session = await rig.session(0);
  await session.finishedOnce;
  return { answer: text(answer), session };
}

/** What one session was told, of which the backend has failed. */
async function whyFailed(port: number, client: Outward): Promise<string | undefined> {
  const { answer, session } = await tryOnce(port, client);
  assert.deepEqual([answer, session.told.length], ["", 1]);
  return session.told[0];
}

test("a backend is asked for its name, and its certificate is verified", async () => {
  const { a, authority } = await testCertificates();
  const keys = trusting(authority.pair.cert);
  await withBackend({ ...a.pair, ALPNProtocols: ["h2"] }, async (port, served) => {
    const host = "a.example";
    const { answer, session } = await tryOnce(port, { keys, host, alpn: ["http/1.1", "h2"] });
    assert.equal(answer, "hello");
    assert.deepEqual(session.backendFacts, {
      ...{ version: "TLSv1.3", serverName: "a.example", alpn: "h2", subject: "O=Org a, CN=a.example" },
    });
    const [socket] = served;
    assert.deepEqual([(socket as { servername?: string } | undefined)?.servername, socket?.alpnProtocol], [
      "a.example",
      "h2",
    ]);
    // The name of the options is the one that counts.
    await tryOnce(port, { keys, host: "10.0.0.1", serverName: "x.wild.example" });
    assert.equal((served[1] as { servername?: string } | undefined)?.servername, "x.wild.example");
  });
});

test("a backend whose certificate is not for its name, expired or from a stranger has failed, with that reason", async () => {
  const { a, expired, stranger, authority } = await testCertificates();
  const keys = trusting(authority.pair.cert);
  await withBackend({ ...a.pair }, async (port) => {
    const fails = [
      { keys, host: "b.example" },
      { keys, host: "127.0.0.1" },
      { keys, host: "a.example", serverName: "other.example" },
      { keys: trusting(stranger.pair.cert), host: "a.example" },
      // Whom the system trusts has not signed it.
      { host: "a.example" },
    ];
    assert.deepEqual(await Promise.all(fails.map((client) => whyFailed(port, client))), [
      "backend: its certificate is not for b.example",
      "backend: its certificate is not for 127.0.0.1",
      "backend: its certificate is not for other.example",
      "backend: its certificate is from none that is trusted here",
      "backend: its certificate is from none that is trusted here",
    ]);
  });
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  await withBackend({ ...expired.pair }, async (port) => {
    const why = await whyFailed(port, { keys, host: "a.example" });
    assert.equal(why, `backend: its certificate expired on ${yesterday}`);
    // Without verification it is taken, under whatever name.
    const { answer, session } = await tryOnce(port, { keys, host: "b.example", verify: false });
    assert.deepEqual([answer, session.backendFacts?.subject], ["hello", undefined]);
    assert.equal((await tryOnce(port, { verify: false })).answer, "hello");
  });
});

test("a backend that is dialled by its address is asked for no name, and its certificate has to be for that address", async () => {
  const { ip, authority } = await testCertificates();
  const keys = trusting(authority.pair.cert);
  await withBackend({ ...ip.pair }, async (port, served) => {
    assert.equal((await tryOnce(port, { keys, host: "127.0.0.1" })).answer, "hello");
    assert.ok(!(served[0] as { servername?: string } | undefined)?.servername);
    assert.equal(
      await whyFailed(port, { keys, host: "127.0.0.2" }),
      "backend: its certificate is not for 127.0.0.2",
    );
  });
});

test("a backend that wants a certificate is shown one", async () => {
  const { a, client, authority } = await testCertificates();
  const keys = { authorities: authority.pair.cert, pairs: [client.pair] };
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const options = { ...a.pair, ca: authority.pair.cert, requestCert: true, maxVersion };
    // deno-lint-ignore no-await-in-loop -- one after the other
    await withBackend(options, async (port, _served, shown) => {
      assert.equal((await tryOnce(port, { keys, host: "a.example" })).answer, "hello");
      assert.deepEqual(shown, ["client one"]);
    });
  }
});

test("a backend that is shown no certificate and wants one refuses: with TLS 1.3 only after TLS was open", async () => {
  const { a, authority } = await testCertificates();
  const options = { ...a.pair, ca: authority.pair.cert, requestCert: true };
  await withBackend(options, async (port) => {
    const { answer, session } = await tryOnce(port, {
      keys: trusting(authority.pair.cert),
      host: "a.example",
    });
    assert.equal(answer, "");
    assert.equal(session.backendFacts?.version, "TLSv1.3");
    assert.ok(session.told.includes("backend gone"), String(session.told));
  });
});

test("what comes before TLS is sent as it is", async () => {
  const { a, authority } = await testCertificates();
  const preface = bytes("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
  const seen: string[] = [];
  await withBackend({ ...a.pair }, async (tlsPort) => {
    const front = startBackend(async (conn) => {
      seen.push(text(await readExactly(conn, preface.length)));
      const behind = await Deno.connect({ hostname: "127.0.0.1", port: tlsPort });
      await Promise.allSettled([
        conn.readable.pipeTo(behind.writable),
        behind.readable.pipeTo(conn.writable),
      ]);
    });
    const keys = trusting(authority.pair.cert);
    const { answer } = await tryOnce(front.port, { keys, host: "a.example" }, preface);
    assert.deepEqual([answer, seen], ["hello", [text(preface)]]);
    await front.stop();
  });
});

test("a backend that does not speak TLS, ends, or has nothing in common has failed, with that reason", async () => {
  const { a, authority } = await testCertificates();
  const client = { keys: trusting(authority.pair.cert), host: "a.example" };
  const http = startBackend(async (conn) => {
    await conn.read(new Uint8Array(1024));
    await writeAll(conn, bytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
  });
  assert.equal(await whyFailed(http.port, client), "backend: what it sends is no handshake of TLS");
  await http.stop();
  const ending = startBackend(async (conn) => void await conn.read(new Uint8Array(1024)));
  assert.match(await whyFailed(ending.port, client) ?? "", /^backend: it (ended|reset) the connection$/);
  await ending.stop();
  await withBackend({ ...a.pair, ALPNProtocols: ["imap"] }, async (port) => {
    assert.equal(
      await whyFailed(port, { ...client, alpn: ["h2"] }),
      "backend: it wants none of the protocols that it was offered, or offers none (alpn)",
    );
  });
});

test("a session that ends while TLS is opened to its backend is told nothing more, and leaves nothing", async () => {
  const { authority } = await testCertificates();
  const silent = startBackend((conn) => conn.read(new Uint8Array(1)).then(() => new Promise(() => {})));
  {
    const client = { keys: trusting(authority.pair.cert), host: "a.example" };
    await using rig = await startTlsRig({ port: silent.port, client });
    using peer = await Deno.connect({ hostname: "127.0.0.1", port: rig.port });
    const session = await rig.session(0);
    while (silent.accepted === 0 || session.backend === undefined) {
      // deno-lint-ignore no-await-in-loop -- until it is dialled
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    session.end();
    assert.equal(await peer.read(new Uint8Array(1)), null);
    assert.deepEqual(session.told, []);
  }
  void silent.stop();
});

test("renewed authorities are for the connections to come", async () => {
  const { a, authority, stranger } = await testCertificates();
  await withBackend({ ...a.pair }, async (port) => {
    const client = { keys: trusting(stranger.pair.cert), host: "a.example" };
    await using rig = await startTlsRig({ port, client });
    assert.equal(text(await ask(rig.port, bytes("question"))), "");
    rig.client?.renew(trusting(authority.pair.cert));
    assert.equal(text(await ask(rig.port, bytes("question"))), "hello");
  });
});
