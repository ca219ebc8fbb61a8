// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { parseListenAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { type HandlerName, handlers } from "../../lib/respond/handlers.ts";
import { startServer } from "../../lib/respond/server.ts";
import { writeProxyV2 } from "../../lib/wire/write_proxy_header.ts";
import { bytes, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { noOpenssl } from "../support/certificates.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";
import { testCertificates } from "../support/tls_certificates.ts";
import { startTls } from "../support/tls_client.ts";

const { ignore, why } = noOpenssl;

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${why}`, ignore, fn });
}

interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly authority: string;
  readonly log: MemoryLog;
}

async function start(
  handler: HandlerName,
  options: { idleTimeoutMs?: number; greetingTimeoutMs?: number; proxyProtocol?: boolean } = {},
): Promise<TestServer> {
  const { authority, a } = await testCertificates();
  const log = memoryLog();
  const server = await startServer({
    listen: parseListenAddress("127.0.0.1:0"),
    handler: handlers[handler],
    name: "me",
    maxConnections: 0,
    idleTimeoutMs: 0,
    tls: { pairs: [a.pair], authorities: undefined },
    log: log.log,
    ...options,
  });
  const port = Number(server.address.split(":").at(-1));
  return {
    port,
    authority: authority.pair.cert,
    log,
    [Symbol.asyncDispose]: async () => void await server.stop(),
  };
}

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

test("a handler speaks within TLS, and ends it", async () => {
  await using server = await start("whoami");
  using client = await startTls(server.port, "a.example", server.authority);
  assert.equal(text(await readAll(client)), "me\n");
});

test("an end of TLS from the client leaves the answer to be sent", async () => {
  await using server = await start("echo");
  using client = await startTls(server.port, "a.example", server.authority);
  const sent = pattern(1_000_000);
  const sending = writeAll(client, sent).then(() => client.closeWrite());
  assert.ok(same(await readAll(client), sent));
  await sending;
});

test("a client that says nothing, or not all of its hello, is closed in time", async () => {
  await using server = await start("whoami", { greetingTimeoutMs: 200 });
  for (const begin of [bytes(""), Uint8Array.of(22, 3, 1, 2, 0, 1)]) {
    using client = await connect(server.port);
    await writeAll(client, begin);
    await readAll(client);
  }
  using next = await startTls(server.port, "a.example", server.authority);
  assert.equal(text(await readAll(next)), "me\n");
});

test("what is not TLS is closed, with the reason for those who debug", async () => {
  await using server = await start("whoami");
  using client = await connect(server.port);
  await writeAll(client, bytes("GET / HTTP/1.1\r\n\r\n"));
  await readAll(client).catch(() => {});
  const { level, fields } = await server.log.waitFor("connection_failed");
  assert.deepEqual([level, fields.reason], [
    "debug",
    "TLS was not opened: what it sends is no handshake of TLS",
  ]);
});

test("the idle timeout holds within TLS, and not before", async () => {
  await using server = await start("echo", { idleTimeoutMs: 200, greetingTimeoutMs: 60_000 });
  using slow = await connect(server.port);
  using client = await startTls(server.port, "a.example", server.authority);
  await writeAll(client, bytes("x"));
  await readExactly(client, 1);
  // It is closed without an end of TLS, as everything that is closed for being idle.
  await assert.rejects(readAll(client), Deno.errors.UnexpectedEof);
  await writeAll(slow, bytes("x"));
  await server.log.waitFor("connection_failed", (it) => it.client === `127.0.0.1:${slow.localAddr.port}`);
});

test("a header of the PROXY protocol comes before TLS", async () => {
  await using server = await start("whoami", { proxyProtocol: true });
  const source = { transport: "tcp", host: "203.0.113.7", port: 5_000 } as const;
  const header = writeProxyV2({ command: "proxy", source, destination: source });
  const conn = await connect(server.port);
  await writeAll(conn, header);
  using client = await Deno.startTls(conn, { hostname: "a.example", caCerts: [server.authority] });
  assert.equal(text(await readAll(client)), "me (client 203.0.113.7:5000)\n");

  using without = await startTls(server.port, "a.example", server.authority);
  await assert.rejects(without.handshake());
});
