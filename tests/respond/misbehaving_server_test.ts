// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import { once } from "node:events";
import { parseListenAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { FAIL_WAYS, GOOD } from "../../lib/core/misbehaviour.ts";
import { failureOf } from "../../lib/respond/chance.ts";
import { ask, bytes, pattern, readAll, readExactly, same, text } from "../support/bytes.ts";
import { noOpenssl } from "../support/certificates.ts";
import { ManualTimers } from "../support/manual_timers.ts";
import { startMisbehaving } from "../support/misbehaving_server.ts";
import { testCertificates } from "../support/tls_certificates.ts";
import { startTls } from "../support/tls_client.ts";

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

Deno.test("a port that another program has taken meanwhile is not listened on again, which is said in a sentence", async () => {
  await using running = await startMisbehaving("echo", {});
  await running.server.down();
  const rival = Deno.listen({ hostname: "127.0.0.1", port: running.port });
  await assert.rejects(running.server.up(), {
    name: "RunError",
    message:
      `cannot listen on ${running.address}: port ${running.port} is in use, by another program or by another listener`,
  });
  rival.close();
  await running.server.up();
  assert.equal(text(await ask(running.port, bytes("again"))), "again");
});

Deno.test("a server that flaps is refused and reached in turn, until it is told to be up", async () => {
  const timers = new ManualTimers();
  const flap = { upMs: 10_000, downMs: 5_000 };
  await using running = await startMisbehaving("echo", { flap }, { later: timers.later });
  for (let round = 0; round < 2; round++) {
    assert.equal(text(await ask(running.port, bytes("up"))), "up");
    timers.advance(10_000);
    await running.log.waitForCount("down", round + 1);
    await assert.rejects(connect(running.port), Deno.errors.ConnectionRefused);
    timers.advance(5_000);
    await running.log.waitForCount("up", round + 1);
  }
  await running.server.up();
  timers.advance(1_000_000);
  assert.equal(text(await ask(running.port, bytes("up"))), "up");
  await running.server.down();
  running.server.set({ flap });
  await running.log.waitForCount("up", 3);
  assert.equal(text(await ask(running.port, bytes("up"))), "up");
  timers.advance(10_000);
  await running.log.waitForCount("down", 3);
  running.server.set({ flap: undefined });
  await running.log.waitForCount("up", 4);
  timers.advance(1_000_000);
  assert.equal(text(await ask(running.port, bytes("up"))), "up");
});

Deno.test("a server that was taken down stays down when it is told not to flap, until it is told to be up", async () => {
  const flap = { upMs: 10_000, downMs: 5_000 };
  for (const before of [undefined, flap]) {
    await using running = await startMisbehaving("echo", { flap: before }, {
      later: new ManualTimers().later,
    });
    await running.server.down();
    running.server.set({ flap: undefined, failRate: 0 });
    // Steps are taken in turn: one that brought it up would be over before this one.
    await running.server.down();
    assert.deepEqual(running.log.events.filter(({ event }) => event === "up"), []);
    await assert.rejects(connect(running.port), Deno.errors.ConnectionRefused);
    await running.server.up();
    assert.equal(text(await ask(running.port, bytes("up"))), "up");
  }
});

Deno.test("a change counts from the next connection and the next answer on, and takes nothing else back", async () => {
  await using running = await startMisbehaving("echo", {});
  using open = await connect(running.port);
  await writeAll(open, bytes("one"));
  assert.equal(text(await readExactly(open, 3)), "one");
  running.server.set({ failRate: 1, failHow: "close-early" });
  running.server.set({ closeAfter: 2 });
  await writeAll(open, bytes("two"));
  assert.equal(text(await readAll(open)), "two");
  assert.equal((await meet(running.port)).received, "hel");
  running.server.set({ failRate: 0 });
  assert.equal((await meet(running.port)).received, "hello\n");
});

Deno.test("a connection is closed after so many answers", async () => {
  await using running = await startMisbehaving("echo", { closeAfter: 3 });
  using client = await connect(running.port);
  for (const word of ["one", "two"]) {
    await writeAll(client, bytes(word));
    assert.equal(text(await readExactly(client, 3)), word);
  }
  await writeAll(client, bytes("three"));
  assert.equal(text(await readAll(client)), "three");
});

Deno.test("a connection with a limit gets its bytes whole, and no faster", async () => {
  const data = pattern(200 * 1024);
  const timed = async (bytesPerSecond: number): Promise<number> => {
    await using running = await startMisbehaving("echo", { bytesPerSecond });
    const startedMs = performance.now();
    assert.ok(same(await ask(running.port, data), data));
    return performance.now() - startedMs;
  };
  const [free, limited] = [await timed(0), await timed(400 * 1024)];
  // Five slices of a tenth of a second's worth; echo cuts a chunk where a read did, so there may be more. The first is sent at once.
  assert.ok(limited > 390 && limited > free, `${free} and ${limited} ms`);
});

Deno.test("a connection that is slow to read holds up a client that sends much", async () => {
  await using running = await startMisbehaving("discard", { failRate: 1, failHow: "slow-read" });
  const client = connectSocket({ host: "127.0.0.1", port: running.port });
  client.on("error", () => {});
  let sentBytes = 0;
  const chunk = new Uint8Array(1024 * 1024);
  for (let isHeld = false; !isHeld;) {
    const sent = new Promise<string>((resolve) => client.write(chunk, () => resolve("sent")));
    const held = new Promise<string>((resolve) => setTimeout(resolve, 300, "held"));
    isHeld = await Promise.race([sent, held]) === "held";
    sentBytes += isHeld ? 0 : chunk.length;
    // What the buffers of both systems take is a few MiB.
    assert.ok(sentBytes < 64 * 1024 * 1024);
  }
  client.destroy();
});

Deno.test("an answer comes no sooner than its delay, of handlers that wait for nothing, too", async () => {
  for (const handler of ["echo", "whoami"] as const) {
    await using running = await startMisbehaving(handler, {
      delay: { kind: "range", fromMs: 150, toMs: 150 },
    });
    const startedMs = performance.now();
    await ask(running.port, bytes("me\n"));
    assert.ok(performance.now() - startedMs >= 149);
  }
});

Deno.test("at the maximum of connections the next one waits, also of those that hang", async () => {
  await using running = await startMisbehaving("echo", {}, { maxConnections: 1 });
  using first = await connect(running.port);
  await writeAll(first, bytes("x"));
  await readExactly(first, 1);
  const second = ask(running.port, bytes("y"));
  assert.equal(
    await Promise.race([second, new Promise((resolve) => setTimeout(resolve, 50, "waits"))]),
    "waits",
  );
  first.close();
  assert.equal(text(await second), "y");
});

Deno.test("a connection that waits for a place is let go when the server stops, and leaves nothing behind", async () => {
  const running = await startMisbehaving("echo", {}, { maxConnections: 1 });
  using first = await connect(running.port);
  await writeAll(first, bytes("x"));
  await readExactly(first, 1);
  using _waiting = await connect(running.port);
  // Accepted after the one that waits.
  running.server.set({ failRate: 1, failHow: "refuse" });
  assert.equal((await meet(running.port)).end, "ECONNRESET");
  assert.equal(await running.server.stop(), 1);
});

Deno.test("a connection that hangs is let go when its client resets it", async () => {
  await using running = await startMisbehaving("echo", { failRate: 1, failHow: "hang" });
  const client = connectSocket({ host: "127.0.0.1", port: running.port });
  await once(client, "connect");
  client.write("hello");
  client.resetAndDestroy();
  await running.log.waitFor("connection_failed");
  assert.equal(await running.server.stop(), 0);
});

Deno.test("a connection that hangs is closed at the idle timeout", async () => {
  await using running = await startMisbehaving("echo", { failRate: 1, failHow: "hang" }, {
    idleTimeoutMs: 200,
  });
  using client = await connect(running.port);
  assert.equal(text(await readAll(client)), "");
});

Deno.test("it misbehaves on all addresses, and on a Unix socket, whose path it removes at the end", async () => {
  await using all = await startMisbehaving("echo", {}, { listen: parseListenAddress(":0") });
  assert.equal(text(await ask(all.port, bytes("x"))), "x");
  await all.server.down();
  await assert.rejects(connect(all.port), Deno.errors.ConnectionRefused);

  const folder = await Deno.makeTempDir();
  const path = `${folder}/s`;
  // Left behind by a program that was killed.
  Deno.listen({ transport: "unix", path }).close();
  const unix = await startMisbehaving("whoami", {}, { listen: { transport: "unix", path } });
  for (let round = 0; round < 2; round++) {
    using client = await Deno.connect({ transport: "unix", path });
    assert.equal(text(await readAll(client)), "me\n");
    await unix.server.down();
    await assert.rejects(Deno.connect({ transport: "unix", path }));
    await unix.server.up();
  }
  await unix.server.stop();
  await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  await Deno.remove(folder);
});

Deno.test({
  name: `behind TLS and a PROXY header it misbehaves as it does without them${noOpenssl.why}`,
  ignore: noOpenssl.ignore,
  fn: async () => {
    const { authority, a } = await testCertificates();
    const tls = { pairs: [a.pair], authorities: undefined };
    await using running = await startMisbehaving("whoami", { failRate: 1, failHow: "close-early" }, { tls });
    const open = (): Promise<Deno.TlsConn> => startTls(running.port, "a.example", authority.pair.cert);
    using cut = await open();
    // Half of "me" and a newline.
    assert.equal(text(await readAll(cut)), "m");
    running.server.set({ failHow: "reset" });
    using reset = await open();
    await assert.rejects(reset.read(new Uint8Array(1)), Deno.errors.ConnectionReset);

    await using behind = await startMisbehaving("whoami", { closeAfter: 1 }, { proxyProtocol: true });
    using client = await connect(behind.port);
    await writeAll(client, bytes("PROXY TCP4 192.0.2.1 192.0.2.2 7 8\r\n"));
    assert.equal(text(await readAll(client)), "me (client 192.0.2.1:7)\n");
  },
});
