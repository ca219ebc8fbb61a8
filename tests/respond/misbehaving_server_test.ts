// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import { once } from "node:events";
import { writeAll } from "../../lib/core/connection.ts";
import { FAIL_WAYS, GOOD } from "../../lib/core/misbehaviour.ts";
import { failureOf } from "../../lib/respond/chance.ts";
import { ask, bytes, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { startMisbehaving } from "../support/misbehaving_server.ts";

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

/** What a client of node:net meets, which sends a line, ends its sending side, and reads: what came, and how it ended. */
async function meet(port: number): Promise<{ received: string; end: string }> {
  const socket = connectSocket({ host: "127.0.0.1", port, allowHalfOpen: true });
  let received = "";
  let end = "end";
  socket.setEncoding("latin1").on("data", (chunk) => received += chunk);
  socket.on("error", (error) => end = "code" in error ? String(error.code) : error.message);
  socket.on("connect", () => socket.end("hello\n"));
  await once(socket, "close").catch(() => {});
  return { received, end };
}

Deno.test("with nothing wrong it serves as any server: each handler's answer, bulk data, an early end of the client", async () => {
  await using echo = await startMisbehaving("echo", {});
  const data = pattern(3_000_000);
  assert.ok(same(await ask(echo.port, data), data));
  await using whoami = await startMisbehaving("whoami", {});
  for (let i = 0; i < 5; i++) assert.equal(text(await ask(whoami.port, new Uint8Array(100_000))), "me\n");
});

Deno.test("each way to fail is what its client meets", async () => {
  const met = new Map<string, { received: string; end: string }>();
  for (const failHow of FAIL_WAYS.filter((way) => way !== "hang")) {
    await using running = await startMisbehaving("echo", { failRate: 1, failHow });
    met.set(failHow, await meet(running.port));
  }
  const { garbage, ...others } = Object.fromEntries(met);
  assert.deepEqual(others, {
    "refuse": { received: "", end: "ECONNRESET" },
    "reset": { received: "", end: "ECONNRESET" },
    "close-early": { received: "hel", end: "end" },
    "slow-read": { received: "hello\n", end: "end" },
    "slow-write": { received: "hello\n", end: "end" },
  });
  assert.equal(garbage?.received.length, 6);
  assert.notEqual(garbage?.received, "hello\n");
  assert.equal(garbage?.end, "end");
});

Deno.test("the same connections fail with the same seed, and as many as it says", async () => {
  const wrong = { failRate: 0.2, failHow: "reset", seed: 7 } as const;
  const ends: string[][] = [];
  for (let run = 0; run < 2; run++) {
    await using running = await startMisbehaving("echo", wrong);
    const run: string[] = [];
    for (let i = 0; i < 50; i++) run.push((await meet(running.port)).end);
    ends.push(run);
  }
  assert.deepEqual(ends[0], ends[1]);
  assert.deepEqual(
    ends[0],
    Array.from({ length: 50 }, (_, i) => {
      return failureOf(i + 1, { ...GOOD, ...wrong }) === undefined ? "end" : "ECONNRESET";
    }),
  );
});

Deno.test("a connection that hangs is held, says nothing, and is let go when the server stops", async () => {
  const running = await startMisbehaving("whoami", { failRate: 1, failHow: "hang" });
  using client = await connect(running.port);
  await writeAll(client, bytes("hello\n"));
  await client.closeWrite();
  const answer = readAll(client);
  assert.equal(
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300, "held"))]),
    "held",
  );
  assert.equal(await running.server.stop(), 1);
  assert.equal(text(await answer), "");
});

Deno.test("down refuses connections and resets those that are open, up listens again at the same port", async () => {
  await using running = await startMisbehaving("echo", {});
  using open = await connect(running.port);
  await writeAll(open, bytes("x"));
  await readExactly(open, 1);
  await running.server.down();
  await assert.rejects(open.read(new Uint8Array(1)), Deno.errors.ConnectionReset);
  for (let i = 0; i < 5; i++) await assert.rejects(connect(running.port), Deno.errors.ConnectionRefused);
  await running.server.down();
  await running.server.up();
  await running.server.up();
  assert.equal(text(await ask(running.port, bytes("again"))), "again");
});
