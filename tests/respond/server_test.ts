// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { parseListenAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import type { Handler } from "../../lib/respond/handler.ts";
import { exchanges } from "../../lib/respond/exchanges.ts";
import { type HandlerName, handlers } from "../../lib/respond/handlers.ts";
import { type RunningServer, startServer } from "../../lib/respond/server.ts";
import { assertFairShares } from "../support/busy_clients.ts";
import { ask, bytes, readAll, readExactly, text } from "../support/bytes.ts";
import { RunningCommand, SOCKBAL, sockbalOn } from "../support/command.ts";
import { onEachEngine } from "../support/engines.ts";
import { memoryLog } from "../support/memory_log.ts";

interface TestServer extends AsyncDisposable {
  readonly server: RunningServer;
  readonly port: number;
}

async function start(
  engine: EngineName,
  handler: Handler,
  options: { max?: number; idleMs?: number } = {},
): Promise<TestServer> {
  const name = Object.entries(handlers).find(([, it]) => it === handler)?.[0] as HandlerName | undefined;
  const server = await startServer({
    listen: parseListenAddress("127.0.0.1:0"),
    engine,
    maxSleepMs: 0,
    handler,
    exchange: name === undefined ? undefined : exchanges[name],
    name: "me",
    maxConnections: options.max ?? 0,
    idleTimeoutMs: options.idleMs ?? 0,
    log: memoryLog().log,
  });
  const port = Number(server.address.split(":").at(-1));
  return { server, port, [Symbol.asyncDispose]: async () => void await server.stop() };
}

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

onEachEngine("whoami says its name before it is asked, and closes", async (engine) => {
  await using running = await start(engine, handlers.whoami);
  using client = await connect(running.port);
  assert.equal(text(await readAll(client)), "me\n");
});

onEachEngine("an answer arrives whole although the request was not read", async (engine) => {
  await using running = await start(engine, handlers.whoami);
  for (let i = 0; i < 20; i++) assert.equal(text(await ask(running.port, new Uint8Array(100_000))), "me\n");
});

onEachEngine("2,000 connections at once are all answered", async (engine) => {
  await using running = await start(engine, handlers.echo);
  const clients = await Promise.all(Array.from({ length: 2_000 }, () => connect(running.port)));
  await Promise.all(clients.map((client, i) => writeAll(client, bytes(`${i}`.padStart(4, "0")))));
  const answers = await Promise.all(clients.map(async (client) => text(await readExactly(client, 4))));
  assert.deepEqual(answers, clients.map((_, i) => `${i}`.padStart(4, "0")));
  for (const client of clients) client.close();
});

onEachEngine("a handler that fails closes its own connection and no other", async (engine) => {
  const failsOnX: Handler = async (connection) => {
    const [first] = await readExactly(connection, 1);
    if (first === 120) throw new Error("x is too much");
    await writeAll(connection, bytes("fine"));
  };
  await using running = await start(engine, failsOnX);
  using good = await connect(running.port);
  assert.equal(text(await ask(running.port, bytes("x"))), "");
  await writeAll(good, bytes("y"));
  await good.closeWrite();
  assert.equal(text(await readAll(good)), "fine");
});

onEachEngine("a connection on which nothing moves is closed at the idle timeout", async (engine) => {
  await using running = await start(engine, handlers.echo, { idleMs: 200 });
  using client = await connect(running.port);
  assert.equal(text(await readAll(client)), "");
});

onEachEngine("at the maximum of connections the next one waits until a place is free", async (engine) => {
  let inside = 0;
  let most = 0;
  const counting: Handler = async (connection, context) => {
    most = Math.max(most, ++inside);
    await handlers.echo(connection, context);
    inside--;
  };
  await using running = await start(engine, counting, { max: 2 });
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) => ask(running.port, bytes(`client ${i}`))),
  );
  assert.deepEqual(answers.map(text), Array.from({ length: 30 }, (_, i) => `client ${i}`));
  assert.equal(most, 2);
});

onEachEngine("stopping closes what is open, and says how many", async (engine) => {
  const running = await start(engine, handlers.echo);
  const clients = await Promise.all(Array.from({ length: 3 }, () => connect(running.port)));
  for (const client of clients) {
    await writeAll(client, bytes("x"));
    await readExactly(client, 1);
  }
  assert.equal(await running.server.stop(), 3);
  for (const client of clients) {
    assert.equal(text(await readAll(client)), "");
    client.close();
  }
});

onEachEngine(
  "when file descriptors run out accepting pauses, says so once, and goes on when some are free again",
  async (engine) => {
    const limited = ["sh", "-c", `ulimit -n 64 && exec "$@"`, "sh", ...sockbalOn(engine)];
    await using server = new RunningCommand([
      ...limited,
      "--role",
      "server",
      "--listen",
      "127.0.0.1:0",
      "--engine",
      engine,
    ]);
    const [, port = ""] = await server.sees(/listening address=127.0.0.1:(\d+)/);
    const clients = await Promise.all(Array.from({ length: 80 }, () => connect(Number(port))));
    await server.sees(/ warn {2}accept_failing address=\S+ reason="[Tt]oo many open files"\n/);

    for (const client of clients.splice(0, 60)) client.close();
    await server.sees(/ accept_recovered /);
    for (const client of clients) {
      await writeAll(client, bytes("still here"));
      assert.equal(text(await readExactly(client, 10)), "still here");
      client.close();
    }
    server.kill("SIGTERM");
    const { stderr } = await server.finished;
    assert.equal(stderr.match(/accept_failing/g)?.length, 1);
  },
);

Deno.test("of hundreds of connections that are busy at once each has its share", async () => {
  await using server = new RunningCommand([
    ...SOCKBAL,
    "--role",
    "server",
    "--listen",
    "127.0.0.1:0",
  ]);
  const [, port = ""] = await server.sees(/listening address=127.0.0.1:(\d+)/);
  await assertFairShares(Number(port));
});
