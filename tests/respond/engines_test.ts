// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The server on each engine: every handler says the same, whether it is an exchange or not. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { parseListenAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { exchanges } from "../../lib/respond/exchanges.ts";
import { type HandlerName, handlers } from "../../lib/respond/handlers.ts";
import { startServer } from "../../lib/respond/server.ts";
import { ask, bytes, joined, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { runCommand, sockbal, SOCKBAL_EPOLL } from "../support/command.ts";
import { memoryLog } from "../support/memory_log.ts";
import { onEachEngine } from "../support/engines.ts";

interface TestServer extends AsyncDisposable {
  readonly port: number;
}

async function start(
  engine: EngineName,
  name: HandlerName,
  hasExchange: boolean,
  listen = "127.0.0.1:0",
): Promise<TestServer> {
  const server = await startServer({
    ...{ engine, maxSleepMs: 0, name: "me", maxConnections: 0, idleTimeoutMs: 0 },
    listen: parseListenAddress(listen),
    handler: handlers[name],
    exchange: hasExchange ? exchanges[name] : undefined,
    log: memoryLog().log,
  });
  return {
    port: Number(server.address.split(":").at(-1)),
    [Symbol.asyncDispose]: async () => void await server.stop(),
  };
}

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST_REQUEST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const ANSWERS: readonly [HandlerName, string, RegExp][] = [
  ["echo", "abc\ndef", /^abc\ndef$/],
  ["upper", "abc ß", /^ABC SS$/],
  ["reverse", "abc\ndef\n", /^cba\nfed\n$/],
  ["discard", "abc", /^$/],
  ["chargen", "", /^( !"#|$)/],
  ["daytime", "what?", /^\d{4}-\d\d-\d\dT[\d:.]+Z\n$/],
  ["whoami", "who?", /^me\n$/],
  ["http", REQUEST + REQUEST + LAST_REQUEST, /^(HTTP\/1\.1 200 OK\r\n(.+\r\n)+\r\nme\n){3}$/],
  ["http", "no request\r\n\r\n", /^HTTP\/1\.1 400 /],
];

onEachEngine("every handler answers, and ends when its client has", async (engine) => {
  for (const hasExchange of engine === "epoll" ? [false, true] : [false]) {
    for (const [name, question, answer] of ANSWERS) {
      await using server = await start(engine, name, hasExchange);
      assert.match(text(await ask(server.port, bytes(question))), answer, name);
    }
  }
});

onEachEngine("a client that reads slowly gets every byte of its echo, in order", async (engine) => {
  for (const hasExchange of [false, true]) {
    await using server = await start(engine, "echo", hasExchange);
    using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const sent = pattern(8 * 1024 * 1024);
    const writing = writeAll(client, sent).then(() => client.closeWrite());
    const first = await readExactly(client, 1_000);
    // Meanwhile the buffers of both sides are full.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const rest = await readAll(client);
    await writing;
    assert.ok(same(joined([first, rest]), sent));
  }
});

onEachEngine(
  "answers of HTTP come whole to a client that sends thousands of requests before it reads",
  async (engine) => {
    await using server = await start(engine, "http", true);
    using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const writing = writeAll(client, bytes(REQUEST.repeat(20_000) + LAST_REQUEST));
    const answers = text(await readAll(client));
    await writing;
    assert.equal(answers.match(/HTTP\/1\.1 200 OK/g)?.length, 20_001);
  },
);

onEachEngine("a client that resets its connection disturbs no other", async (engine) => {
  for (const name of ["echo", "upper"] as const) {
    await using server = await start(engine, name, true);
    using good = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    for (let i = 0; i < 20; i++) {
      const bad = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await writeAll(bad, new Uint8Array(200_000));
      // With bytes that were not read the system resets it.
      bad.close();
    }
    await writeAll(good, bytes("YES"));
    assert.equal(text(await readExactly(good, 3)), "YES");
  }
});

onEachEngine(
  "a server at a Unix socket takes the place of one that has gone, and removes its file",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/s`;
    Deno.listen({ transport: "unix", path }).close();
    {
      await using _server = await start(engine, "echo", true, `unix:${path}`);
      using client = await Deno.connect({ transport: "unix", path });
      await writeAll(client, bytes("hi"));
      assert.equal(text(await readExactly(client, 2)), "hi");
    }
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
    await Deno.remove(folder);
  },
);

onEachEngine("a port that is in use is told in one sentence, and nothing is left open", async (engine) => {
  await using server = await start(engine, "echo", true);
  await assert.rejects(
    start(engine, "echo", true, `127.0.0.1:${server.port}`),
    /is in use, by another program/,
  );
});

Deno.test({
  name: "the server says which engine it has, and why it cannot have the other",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const server = ["--role", "server", "--listen", "127.0.0.1:0", "--engine", "epoll"];
    const missing = await sockbal(...server);
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /^sockbal: the engine epoll cannot be used: .*--allow-ffi.*\n$/);
    const tls = await runCommand([...SOCKBAL_EPOLL, ...server, "--tls-cert", "a", "--tls-key", "b"]);
    assert.deepEqual([tls.status, tls.stderr], [
      2,
      "sockbal: TLS is opened by the engine runtime; leave --engine out\n",
    ]);
    const datagrams = ["--role", "server", "--listen", "udp:127.0.0.1:0", "--engine", "epoll"];
    const udp = await runCommand([...SOCKBAL_EPOLL, ...datagrams]);
    assert.deepEqual([udp.status, udp.stderr], [
      2,
      "sockbal: datagrams are answered by the engine runtime; leave --engine out\n",
    ]);
  },
});
