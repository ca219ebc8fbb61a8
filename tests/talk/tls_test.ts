import assert from "node:assert/strict";
import { parseDialAddress } from "../../lib/core/address.ts";
import { CoarseClock } from "../../lib/core/coarse_clock.ts";
import { writeAll } from "../../lib/core/connection.ts";
import type { TlsFacts } from "../../lib/engine/tls_contract.ts";
import { handlers } from "../../lib/respond/handlers.ts";
import { type RunningServer, startServer } from "../../lib/respond/server.ts";
import { type ConversationOptions, converse } from "../../lib/talk/conversation.ts";
import { startBackend } from "../support/backend.ts";
import { bytes, text } from "../support/bytes.ts";
import { noOpenssl } from "../support/certificates.ts";
import { memoryLog } from "../support/memory_log.ts";
import { refusedPort } from "../support/ports.ts";
import { testCertificates } from "../support/tls_certificates.ts";

const { ignore, why } = noOpenssl;

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${why}`, ignore, fn });
}

/** Sends "hi" and gives what came, and how it ended. */
async function talk(
  address: string,
  options: Partial<ConversationOptions>,
): Promise<{ output: string; failure: string | undefined; facts: TlsFacts | undefined }> {
  const { authority } = await testCertificates();
  let output = "";
  let facts: TlsFacts | undefined;
  const failure = await converse({
    connect: parseDialAddress(address),
    messages: ["hi"],
    timeoutMs: 0,
    stop: new AbortController().signal,
    isInputEndless: false,
    input: { read: () => Promise.resolve(null) },
    output: {
      write: (chunk) => {
        output += text(chunk);
        return Promise.resolve(chunk.length);
      },
    },
    tls: {
      keys: { pairs: [], authorities: authority.pair.cert },
      serverName: "a.example",
      alpn: [],
      verify: true,
      onOpen: (it) => facts = it,
    },
    ...options,
  }).then(() => undefined, (error: Error) => `${error.name}: ${error.message}`);
  return { output, failure, facts };
}

async function startTlsServer(listen = "127.0.0.1:0"): Promise<RunningServer> {
  const { a } = await testCertificates();
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(listen) ?? [];
  return await startServer({
    listen: listen.startsWith("unix:")
      ? { transport: "unix", path: listen.slice(5) }
      : { transport: "tcp", host, port: Number(port) },
    handler: handlers.upper,
    name: "me",
    maxConnections: 0,
    idleTimeoutMs: 0,
    tls: { pairs: [a.pair], authorities: undefined },
    log: memoryLog().log,
  });
}

test("a conversation within TLS ends it, and hears the rest of the answer", async () => {
  const server = await startTlsServer();
  const { output, failure, facts } = await talk(server.address, {});
  assert.deepEqual([output, failure], ["HI\n", undefined]);
  assert.deepEqual(facts, {
    version: "TLSv1.3",
    serverName: "a.example",
    alpn: undefined,
    subject: "O=Org a, CN=a.example",
  });
  await server.stop();
});

test("an IP address is no name that was asked for", async () => {
  const server = await startTlsServer();
  const tls = { keys: { pairs: [], authorities: undefined }, alpn: [], verify: false, serverName: undefined };
  let facts: TlsFacts | undefined;
  await talk(server.address, { tls: { ...tls, onOpen: (it) => facts = it } });
  assert.deepEqual([facts?.version, facts?.serverName], ["TLSv1.3", undefined]);
  await server.stop();
});

test("TLS runs over a Unix socket, for a name that is given", async () => {
  const folder = await Deno.makeTempDir();
  const server = await startTlsServer(`unix:${folder}/s`);
  assert.deepEqual((await talk(`unix:${folder}/s`, {})).output, "HI\n");
  await server.stop();
  await Deno.remove(folder, { recursive: true });
});

test("a peer that does not answer the handshake is given up at the timeout, or when the user wishes", async () => {
  const stop = new AbortController();
  const backend = startBackend(async (conn) => {
    const buffer = new Uint8Array(4_096);
    await conn.read(buffer);
    stop.abort();
    await conn.read(buffer);
  });
  const silent = await talk(backend.address, { timeoutMs: 200 });
  assert.equal(
    silent.failure,
    `RunError: ${backend.address}: no TLS within 200ms; it may not speak TLS`,
  );
  const stopped = await talk(backend.address, { stop: stop.signal });
  assert.deepEqual([stopped.output, stopped.failure], ["", undefined]);
  await backend.stop();
});

test("without a timeout a peer has 10 s for the handshake, and then all the time there is", async () => {
  let nowMs = 0;
  const clock = new CoarseClock(() => nowMs);
  /** In steps that are no gap for the clock. */
  const pass = (seconds: number): void => {
    for (let i = 0; i < seconds * 2; i++) {
      nowMs += 500;
      clock.tick();
    }
  };
  const heard = Promise.withResolvers<void>();
  const mute = startBackend(async (conn) => {
    const buffer = new Uint8Array(4_096);
    await conn.read(buffer);
    heard.resolve();
    await conn.read(buffer);
  });
  let hasEnded = false;
  const talking = talk(mute.address, { clock }).finally(() => hasEnded = true);
  await heard.promise;
  pass(9.5);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(hasEnded, false);
  pass(0.5);
  assert.equal(
    (await talking).failure,
    `RunError: ${mute.address}: no TLS within 10s; it may not speak TLS`,
  );
  await mute.stop();

  const server = await startTlsServer();
  const input = Promise.withResolvers<null>();
  const asked = Promise.withResolvers<void>();
  const patient = talk(server.address, {
    clock,
    messages: [],
    input: {
      read: () => {
        asked.resolve();
        return input.promise;
      },
    },
  });
  await asked.promise;
  pass(60);
  input.resolve(null);
  assert.deepEqual((await patient).failure, undefined);
  await server.stop();
});

test("a peer that does not speak TLS is one plain sentence", async () => {
  const sentence = /^RunError: 127\.0\.0\.1:\d+: what it sends is no handshake of TLS; leave --tls out$/;
  for (const answer of [() => bytes("220 hello\r\n"), (hello: Uint8Array) => hello]) {
    const backend = startBackend(async (conn) => {
      const buffer = new Uint8Array(4_096);
      const filled = await conn.read(buffer) ?? 0;
      await writeAll(conn, answer(buffer.slice(0, filled)));
      await conn.read(buffer);
    });
    // deno-lint-ignore no-await-in-loop -- the cases follow one another
    assert.match((await talk(backend.address, {})).failure ?? "", sentence);
    // deno-lint-ignore no-await-in-loop -- the cases follow one another
    await backend.stop();
  }
});

test("a peer that ends in the handshake is one plain sentence", async () => {
  const backend = startBackend(async (conn) => void await conn.read(new Uint8Array(4_096)));
  const { failure } = await talk(backend.address, {});
  assert.equal(
    failure,
    `RunError: ${backend.address}: it ended the connection before TLS was open; it may not speak TLS, or knows no such name`,
  );
  await backend.stop();
});

test("a peer that cannot be dialled is described as without TLS", async () => {
  const port = refusedPort();
  const { failure } = await talk(`127.0.0.1:${port}`, {});
  assert.equal(failure, `RunError: 127.0.0.1:${port}: connection refused; nothing listens there`);
  const { failure: unreachable } = await talk("255.255.255.255:1", {});
  assert.match(unreachable ?? "", /^RunError: 255\.255\.255\.255:1: (?!.*handshake)/);
});
