import assert from "node:assert/strict";
import { parseConnectAddress, type UdpAddress } from "../../lib/core/address.ts";
import { CoarseClock } from "../../lib/core/coarse_clock.ts";
import { exchangeDatagrams, type ExchangeOptions } from "../../lib/talk/datagram_exchange.ts";
import { bytes, joined, pattern, same, text } from "../support/bytes.ts";
import { startUdpBackend, type UdpBackend, UdpPeer } from "../support/udp.ts";

interface Exchanged {
  readonly output: Uint8Array;
  readonly failure: string | undefined;
}

/**
 * Runs a client whose input comes in these pieces, and collects its output.
 *
 * @param peer An address, or a port of the loopback.
 */
async function exchange(
  peer: number | string,
  input: readonly Uint8Array[],
  options: Partial<ExchangeOptions> = {},
): Promise<Exchanged> {
  const pieces = [...input];
  const parts: Uint8Array[] = [];
  const failure = await exchangeDatagrams({
    connect: parseConnectAddress(typeof peer === "number" ? `udp:127.0.0.1:${peer}` : peer) as UdpAddress,
    messages: [],
    timeoutMs: 0,
    stop: new AbortController().signal,
    input: {
      read: (buffer) => {
        const piece = pieces.shift();
        if (piece === undefined) return Promise.resolve(null);
        buffer.set(piece);
        return Promise.resolve(piece.length);
      },
    },
    output: {
      write: (chunk) => {
        parts.push(chunk.slice());
        return Promise.resolve(chunk.length);
      },
    },
    ...options,
  }).then(() => undefined, (error: Error) => `${error.name}: ${error.message}`);
  return { output: joined(parts), failure };
}

/** Notes what comes, and answers with it. */
function startEcho(hostname?: string): { readonly socket: UdpBackend; readonly received: string[] } {
  const received: string[] = [];
  const socket = startUdpBackend((datagram) => {
    received.push(text(datagram));
    return [datagram];
  }, hostname === undefined ? {} : { hostname });
  return { socket, received };
}

Deno.test("each message is one datagram with a newline, and its answer is printed", async () => {
  const { socket, received } = startEcho();
  using _ = socket;
  const { output, failure } = await exchange(socket.port, [bytes("not sent")], {
    messages: ["one", "", "two ü"],
  });
  assert.equal(failure, undefined);
  assert.deepEqual(received, ["one\n", "\n", "two ü\n"]);
  assert.equal(text(output), "one\n\ntwo ü\n");
});

Deno.test("a message is sent when the one before has been answered", async () => {
  using server = new UdpPeer();
  const talking = exchange(server.port, [], { messages: ["1", "2"] });
  const first = await server.next();
  assert.equal(text(first.bytes), "1\n");
  await server.send(bytes("a"), first.from);
  const second = await server.next();
  assert.equal(text(second.bytes), "2\n");
  assert.equal(second.from.port, first.from.port);
  await server.send(bytes("b"), second.from);
  const { output, failure } = await talking;
  assert.deepEqual([text(output), failure], ["ab", undefined]);
});

Deno.test("input is sent as it is read, and as many answers are waited for", async () => {
  const { socket, received } = startEcho();
  using _ = socket;
  const { output, failure } = await exchange(socket.port, [bytes("a\nb\n"), bytes("c")]);
  assert.deepEqual([text(output), failure], ["a\nb\nc", undefined]);
  assert.deepEqual(received, ["a\nb\n", "c"]);
});

Deno.test("65,507 bytes go and come back whole", async () => {
  const { socket } = startEcho();
  using _ = socket;
  const { output, failure } = await exchange(socket.port, [pattern(65_507)]);
  assert.equal(failure, undefined);
  assert.ok(same(output, pattern(65_507)));
});

Deno.test("an empty answer is an answer", async () => {
  using server = startUdpBackend(() => [new Uint8Array()]);
  assert.deepEqual(await exchange(server.port, [], { messages: ["a", "b"] }), {
    output: new Uint8Array(),
    failure: undefined,
  });
});

Deno.test("input that is empty sends nothing, and waits for nothing", async () => {
  const { socket, received } = startEcho();
  using _ = socket;
  const { output, failure } = await exchange(socket.port, []);
  assert.deepEqual([output.length, failure, received], [0, undefined, []]);
});

Deno.test("what comes from elsewhere is passed over", async () => {
  using server = new UdpPeer();
  using stranger = new UdpPeer();
  const talking = exchange(server.port, [], { messages: ["hi"] });
  const { from: { port } } = await server.next();
  await stranger.send(bytes("forged"), { port });
  await server.send(bytes("true"), { port });
  assert.equal(text((await talking).output), "true");
});

Deno.test("a peer is reached over IPv6, by its name, and at all addresses of this machine", async () => {
  using v4 = startEcho().socket;
  using v6 = startEcho("::1").socket;
  using named = startEcho("localhost").socket;
  const places = [
    `[::1]:${v6.port}`,
    `[::]:${v6.port}`,
    `0.0.0.0:${v4.port}`,
    `[::ffff:127.0.0.1]:${v4.port}`,
    `localhost:${named.port}`,
  ];
  for (const place of places) {
    // deno-lint-ignore no-await-in-loop -- one after the other
    const { output, failure } = await exchange(`udp:${place}`, [], { messages: [place] });
    assert.deepEqual([text(output), failure], [`${place}\n`, undefined]);
  }
});

Deno.test("without an answer it gives up at the timeout, and says what may be the cause", async () => {
  using silent = new UdpPeer();
  const { failure } = await exchange(silent.port, [], { messages: ["hi", "not sent"], timeoutMs: 200 });
  assert.equal(
    failure,
    `RunError: udp:127.0.0.1:${silent.port}: no answer within 200ms; perhaps nothing listens there, or a datagram was lost`,
  );
  assert.equal(text((await silent.next()).bytes), "hi\n");
});

Deno.test("when some answers are missing it says how many came", async () => {
  using server = startUdpBackend((datagram) => text(datagram) === "2\n" ? [] : [datagram]);
  const { output, failure } = await exchange(server.port, [], { messages: ["1", "2", "3"], timeoutMs: 200 });
  assert.equal(text(output), "1\n");
  assert.equal(
    failure,
    `RunError: udp:127.0.0.1:${server.port}: nothing came for 200ms; 1 of 2 datagrams were answered`,
  );
});

Deno.test("an answer may take 10 seconds where no timeout is given", async () => {
  using silent = new UdpPeer();
  let nowMs = 0;
  const clock = new CoarseClock(() => nowMs);
  const talking = exchange(silent.port, [], { messages: ["hi"], clock });
  await silent.next();
  for (; nowMs < 20_000; nowMs += 100) clock.tick();
  assert.match((await talking).failure ?? "", /: no answer within 10s; /);
});

Deno.test("input that stays silent is waited for without a timeout, and up to one", async () => {
  using silent = new UdpPeer();
  const input = { read: () => new Promise<never>(() => {}) };
  const { failure } = await exchange(silent.port, [], { input, timeoutMs: 200 });
  assert.equal(failure, `RunError: udp:127.0.0.1:${silent.port}: nothing came for 200ms`);
  const stop = new AbortController();
  const forever = exchange(silent.port, [], { input, stop: stop.signal });
  stop.abort();
  assert.equal((await forever).failure, undefined);
});

Deno.test("a user who wishes to stop is no failure, before and while an answer is due", async () => {
  using silent = new UdpPeer();
  assert.equal(
    (await exchange(silent.port, [], { messages: ["hi"], stop: AbortSignal.abort() })).failure,
    undefined,
  );
  const stop = new AbortController();
  const talking = exchange(silent.port, [], { messages: ["hi"], stop: stop.signal });
  await silent.next();
  stop.abort();
  assert.equal((await talking).failure, undefined);
});

Deno.test("a name that does not exist is named", async () => {
  const { failure } = await exchange("udp:nobody.invalid:53", [], { messages: ["hi"] });
  assert.match(failure ?? "", /^RunError: cannot resolve the name "nobody\.invalid": /);
});

Deno.test("an input that fails, and an output that is closed, end it as they do a conversation", async () => {
  const { socket } = startEcho();
  using _ = socket;
  const input = { read: () => Promise.reject(new Error("Is a directory (os error 21)")) };
  const failed = await exchange(socket.port, [], { input });
  assert.equal(failed.failure, "RunError: stdin: is a directory");
  const output = { write: () => Promise.reject(new Deno.errors.BrokenPipe("broken")) };
  const closed = await exchange(socket.port, [], { messages: ["hi"], output });
  assert.equal(closed.failure, undefined);
});
