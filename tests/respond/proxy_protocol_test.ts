// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { parseListenAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { exchanges } from "../../lib/respond/exchanges.ts";
import { type HandlerName, handlers } from "../../lib/respond/handlers.ts";
import { startServer } from "../../lib/respond/server.ts";
import { writeProxyV1, writeProxyV2 } from "../../lib/wire/write_proxy_header.ts";
import { localPort } from "../support/balancer.ts";
import { ask, bytes, joined, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";

interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly log: MemoryLog;
  stop(): Promise<number>;
}

async function start(
  engine: EngineName,
  handler: HandlerName,
  options: { idleTimeoutMs?: number; maxConnections?: number; greetingTimeoutMs?: number } = {},
): Promise<TestServer> {
  const log = memoryLog();
  const server = await startServer({
    listen: parseListenAddress("127.0.0.1:0"),
    engine,
    maxSleepMs: 0,
    handler: handlers[handler],
    exchange: exchanges[handler],
    name: "me",
    maxConnections: 0,
    idleTimeoutMs: 0,
    proxyProtocol: true,
    log: log.log,
    ...options,
  });
  const port = Number(server.address.split(":").at(-1));
  return { port, log, stop: server.stop, [Symbol.asyncDispose]: async () => void await server.stop() };
}

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

const SOURCE = { transport: "tcp", host: "203.0.113.7", port: 5_000 } as const;
const DESTINATION = { transport: "tcp", host: "203.0.113.1", port: 443 } as const;
const SOURCE_V6 = { ...SOURCE, host: "2001:db8::7" } as const;
const V1 = writeProxyV1(SOURCE, DESTINATION);
const V2 = writeProxyV2({ command: "proxy", source: SOURCE, destination: DESTINATION });

onEachEngine(
  "whoami names the true client of a header of either version, without being asked",
  async (engine) => {
    await using server = await start(engine, "whoami");
    const v6 = { command: "proxy", source: SOURCE_V6, destination: DESTINATION } as const;
    const headers: [Uint8Array, string][] = [
      [V1, "me (client 203.0.113.7:5000)\n"],
      [V2, "me (client 203.0.113.7:5000)\n"],
      [writeProxyV1(SOURCE_V6, DESTINATION), "me (client [2001:db8::7]:5000)\n"],
      [writeProxyV2(v6), "me (client [2001:db8::7]:5000)\n"],
    ];
    for (const [header, answer] of headers) {
      using client = await connect(server.port);
      await writeAll(client, header);
      assert.equal(text(await readAll(client)), answer);
    }
  },
);

onEachEngine("a header that names no client leaves the peer of the connection", async (engine) => {
  await using server = await start(engine, "whoami");
  for (const header of [bytes("PROXY UNKNOWN\r\n"), writeProxyV2({ command: "local" })]) {
    using client = await connect(server.port);
    await writeAll(client, header);
    assert.equal(text(await readAll(client)), `me (client 127.0.0.1:${localPort(client)})\n`);
  }
});

onEachEngine("http answers every request with the true client", async (engine) => {
  await using server = await start(engine, "http");
  const request = bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const answers = text(await ask(server.port, joined([V1, request, request])));
  assert.equal(answers.match(/\r\n\r\nme \(client 203\.0\.113\.7:5000\)\n/g)?.length, 2);
});

onEachEngine(
  "what follows the header reaches the handler whole, in whatever pieces both come",
  async (engine) => {
    await using server = await start(engine, "echo");
    const payload = joined([V2, pattern(200_000)]);
    for (const header of [V1, V2]) {
      const sent = joined([header, payload]);
      assert.ok(same(await ask(server.port, sent), payload), "together");

      using byByte = await connect(server.port);
      byByte.setNoDelay(true);
      const first = sent.subarray(0, header.length + 40);
      for (const byte of first) {
        await writeAll(byByte, Uint8Array.of(byte));
        await new Promise((resolve) => setTimeout(resolve));
      }
      assert.ok(same(await readExactly(byByte, 40), payload.subarray(0, 40)), "byte by byte");
      const rest = writeAll(byByte, sent.subarray(first.length)).then(() => byByte.closeWrite());
      assert.ok(same(await readAll(byByte), payload.subarray(40)), "and then at once");
      await rest;
    }
  },
);

onEachEngine(
  "a connection without a good header is closed, and the log says why to those who debug",
  async (engine) => {
    await using server = await start(engine, "whoami");
    const bad: [string, RegExp][] = [
      ["GET / HTTP/1.1\r\n\r\n", /^the connection does not begin with a PROXY protocol header$/],
      ["PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", /^the PROXY protocol line is not two addresses and two ports/],
      ["PROXY TCP4 1.2.3.4", /^the client ended before its PROXY header was whole$/],
      ["", /^the client ended before its PROXY header was whole$/],
    ];
    for (const [sent, reason] of bad) {
      using client = await connect(server.port);
      const [name] = [`127.0.0.1:${localPort(client)}`];
      await writeAll(client, bytes(sent));
      await client.closeWrite();
      assert.equal(text(await readAll(client).catch(() => bytes(""))), "");
      const { level, fields } = await server.log.waitFor("connection_failed", (it) => it.client === name);
      assert.equal(level, "debug");
      assert.match(String(fields.reason), reason);
    }
    assert.equal(text(await ask(server.port, V1)), "me (client 203.0.113.7:5000)\n");
  },
);

onEachEngine("a client that sends no header in time is closed, and makes room for others", async (engine) => {
  await using server = await start(engine, "whoami", { greetingTimeoutMs: 200, maxConnections: 1 });
  using silent = await connect(server.port);
  await writeAll(silent, bytes("PROXY TC"));
  assert.equal(text(await readAll(silent)), "");
  const { fields } = await server.log.waitFor("connection_failed");
  assert.equal(
    fields.reason,
    "The connection was closed before the client was done with its greeting",
  );
  assert.equal(text(await ask(server.port, V1)), "me (client 203.0.113.7:5000)\n");
});

onEachEngine(
  "the idle timeout counts from the header on, and stopping closes those who have sent none",
  async (engine) => {
    const server = await start(engine, "echo", { idleTimeoutMs: 200, greetingTimeoutMs: 60_000 });
    using silent = await connect(server.port);
    using idle = await connect(server.port);
    await writeAll(idle, V1);
    await writeAll(idle, bytes("x"));
    assert.equal(text(await readAll(idle)), "x");
    assert.equal(await server.stop(), 1);
    assert.equal(text(await readAll(silent)), "");
  },
);
