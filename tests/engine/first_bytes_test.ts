// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What an engine reads of a client before there is a backend, and what it sends to a backend before there is a client's byte. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import fc from "fast-check";
import { writeAll } from "../../lib/core/connection.ts";
import { MAX_FIRST_BYTES } from "../../lib/engine/contract.ts";
import type { Direction, RelayEvents } from "../../lib/engine/contract.ts";
import { Buffers } from "../../lib/engine/runtime/buffers.ts";
import { RuntimeEngine } from "../../lib/engine/runtime/engine.ts";
import { RuntimeClient, RuntimeSocket } from "../../lib/engine/runtime/socket.ts";
import { bytes, readAll, readExactly, text } from "../support/bytes.ts";
import { pair } from "../support/pair.ts";

const NEWLINE = 10;

/** How waiting for first bytes ended. */
interface First {
  readonly how: "enough" | "too few" | "gone" | "fault";
  readonly bytes?: Uint8Array;
}

/** Reads ahead until there is a line. */
function firstLine(client: RuntimeClient, isEnough = hasLine): Promise<First> {
  return new Promise((resolve) => {
    const clientGone = (): void => resolve({ how: "gone" });
    client.readAhead({ clientGone });
    client.firstBytes(isEnough, {
      clientGone,
      enough: (bytes) => resolve({ how: "enough", bytes }),
      tooFew: (bytes) => resolve({ how: "too few", bytes }),
      fault: () => resolve({ how: "fault" }),
    });
  });
}

function hasLine(bytes: Uint8Array): boolean {
  return bytes.includes(NEWLINE);
}

interface Relay {
  readonly counted: Record<Direction, number>;
  readonly finished: Promise<void>;
}

function relayTo(client: RuntimeClient, backend: RuntimeSocket): Relay {
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  const counted = { in: 0, out: 0 };
  const on: RelayEvents = {
    writesPending: () => {},
    moved: (direction, bytes) => void (counted[direction] += bytes),
    directionEnded: () => {},
    clientGone: () => {
      client.close();
      backend.close();
    },
    backendGone: () => {},
    clientTold: () => {},
    finished: resolve,
    fault: (fault) => assert.fail(String(fault)),
  };
  new RuntimeEngine({ size: 1 }).relay(client, backend, on);
  return { counted, finished };
}

Deno.test("first bytes are enough however they are cut, and all of them are relayed, with what follows", async () => {
  const cut = fc.array(fc.integer({ min: 1, max: 1_500 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.nat(3_000), fc.nat(3_000), cut, async (before, after, sizes) => {
      const [front, back] = [await pair(), await pair()];
      const client = new RuntimeClient(front.end, new Buffers());
      const line = firstLine(client);
      const message = bytes(`${"a".repeat(before)}\n${"b".repeat(after)}`);
      const sending = (async () => {
        front.peer.setNoDelay(true);
        for (let sent = 0, i = 0; sent < message.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          await writeAll(front.peer, message.subarray(sent, sent + size));
          sent += size;
        }
        await front.peer.closeWrite();
      })();
      const first = await line;
      assert.equal(first.how, "enough");
      assert.ok(text(first.bytes ?? assert.fail()).startsWith(`${"a".repeat(before)}\n`));
      const backend = new RuntimeSocket(back.end);
      const relay = relayTo(client, backend);
      const [got] = await Promise.all([readAll(back.peer), sending]);
      assert.deepEqual(got, message);
      back.peer.close();
      await relay.finished;
      assert.equal(relay.counted.in, message.length);
      for (const socket of [client, backend, front.peer]) socket.close();
    }),
    { numRuns: 60 },
  );
});

Deno.test("a client that ends before it has sent enough is told of, and its bytes and end are relayed all the same", async () => {
  for (const message of ["", "no line", "x".repeat(1_024), "x".repeat(2_500)]) {
    const [front, back] = [await pair(), await pair()];
    const client = new RuntimeClient(front.end, new Buffers());
    const line = firstLine(client);
    await writeAll(front.peer, bytes(message));
    await front.peer.closeWrite();
    const first = await line;
    assert.deepEqual([first.how, text(first.bytes ?? assert.fail())], ["too few", message]);
    const backend = new RuntimeSocket(back.end);
    const relay = relayTo(client, backend);
    assert.equal(text(await readAll(back.peer)), message);
    back.peer.close();
    await relay.finished;
    for (const socket of [client, backend, front.peer]) socket.close();
  }
});

Deno.test("no more is read ahead than a few KiB, and what comes after that is relayed too", async () => {
  const [front, back] = [await pair(), await pair()];
  const client = new RuntimeClient(front.end, new Buffers());
  const line = firstLine(client);
  const message = bytes("x".repeat(100_000));
  const sending = writeAll(front.peer, message).then(() => front.peer.closeWrite());
  const first = await line;
  assert.deepEqual([first.how, first.bytes?.length], ["too few", MAX_FIRST_BYTES]);
  const backend = new RuntimeSocket(back.end);
  const relay = relayTo(client, backend);
  assert.deepEqual(await readAll(back.peer), message);
  await sending;
  back.peer.close();
  await relay.finished;
  for (const socket of [client, backend, front.peer]) socket.close();
});

Deno.test("a client that resets while its first bytes are waited for, or after them, is told of", async () => {
  for (const sent of ["", "half", "whole\n"]) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const peer = connectSocket(listener.addr.port, "127.0.0.1");
    const [end] = await Promise.all([listener.accept(), once(peer, "connect")]);
    listener.close();
    const client = new RuntimeClient(end, new Buffers());
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    const heard = Promise.withResolvers<void>();
    client.readAhead({ clientGone: resolve });
    client.firstBytes(hasLine, {
      clientGone: resolve,
      enough: () => heard.resolve(),
      tooFew: () => assert.fail("it has not ended"),
      fault: (fault) => assert.fail(String(fault)),
    });
    if (sent !== "") {
      await new Promise((resolve) => peer.write(sent, resolve));
      if (sent.endsWith("\n")) await heard.promise;
    }
    const closed = once(peer, "close");
    peer.resetAndDestroy();
    await Promise.all([gone, closed]);
    client.close();
  }
});

Deno.test("a socket that was closed just after bytes came is told as gone, asks nothing and reads no more", async () => {
  for (const filled of [6, null]) {
    const first = Promise.withResolvers<number | null>();
    let reads = 0;
    const conn = {
      read: () => ++reads === 1 ? first.promise : assert.fail("it is closed"),
      close: () => {},
    };
    const client = new RuntimeClient(conn as unknown as Deno.Conn, new Buffers());
    const line = firstLine(client, () => assert.fail("it is closed"));
    first.resolve(filled);
    client.close();
    assert.equal((await line).how, "gone");
    assert.equal(reads, 1);
  }
});

Deno.test("a socket that is closed between the answer and its telling is told as gone", async () => {
  const { peer, end } = await pair();
  const client = new RuntimeClient(end, new Buffers());
  const line = firstLine(client, (bytes) => {
    queueMicrotask(() => client.close());
    return hasLine(bytes);
  });
  await writeAll(peer, bytes("whole\n"));
  assert.equal((await line).how, "gone");
  peer.close();
});

Deno.test("a question that throws is a fault, and the client can be closed", async () => {
  const { peer, end } = await pair();
  const client = new RuntimeClient(end, new Buffers());
  const line = firstLine(client, () => {
    throw new Error("no");
  });
  await writeAll(peer, bytes("x"));
  assert.equal((await line).how, "fault");
  client.close();
  assert.equal(await peer.read(new Uint8Array(1)), null);
  peer.close();
});

Deno.test("a preface is sent before what the client has sent, and is not counted", async () => {
  const [front, back] = [await pair(), await pair()];
  const client = new RuntimeClient(front.end, new Buffers());
  await writeAll(front.peer, bytes("hello"));
  client.readAhead({ clientGone: () => assert.fail("it has not gone") });
  const backend = new RuntimeSocket(back.end);
  backend.preface(bytes("PREFACE "));
  const relay = relayTo(client, backend);
  assert.equal(text(await readExactly(back.peer, 13)), "PREFACE hello");
  await writeAll(back.peer, bytes("answer"));
  assert.equal(text(await readExactly(front.peer, 6)), "answer");
  await front.peer.closeWrite();
  assert.equal(text(await readAll(back.peer)), "");
  back.peer.close();
  await relay.finished;
  assert.deepEqual(relay.counted, { in: 5, out: 6 });
  for (const socket of [client, backend, front.peer]) socket.close();
});

Deno.test("a preface switches Nagle's algorithm off, so that the first bytes of the client do not wait behind it", async () => {
  const [front, back] = [await pair(), await pair()];
  const client = new RuntimeClient(front.end, new Buffers());
  client.readAhead({ clientGone: () => assert.fail("it has not gone") });
  const steps: string[] = [];
  const { write, setNoDelay } = back.end;
  back.end.write = (chunk) => {
    steps.push(text(chunk));
    return write.call(back.end, chunk);
  };
  back.end.setNoDelay = (isOn) => {
    steps.push(`no delay: ${isOn}`);
    setNoDelay.call(back.end, isOn);
  };
  const backend = new RuntimeSocket(back.end);
  backend.preface(bytes("PREFACE "));
  const relay = relayTo(client, backend);
  await writeAll(front.peer, bytes("hello"));
  await front.peer.closeWrite();
  assert.equal(text(await readAll(back.peer)), "PREFACE hello");
  assert.deepEqual(steps, ["no delay: true", "PREFACE ", "hello"]);
  back.peer.close();
  await relay.finished;
  for (const socket of [client, backend, front.peer]) socket.close();
});

Deno.test("a client that says nothing gets the answer to the preface", async () => {
  const [front, back] = [await pair(), await pair()];
  const client = new RuntimeClient(front.end, new Buffers());
  client.readAhead({ clientGone: () => {} });
  const backend = new RuntimeSocket(back.end);
  backend.preface(bytes("HELLO"));
  const relay = relayTo(client, backend);
  assert.equal(text(await readExactly(back.peer, 5)), "HELLO");
  await writeAll(back.peer, bytes("welcome"));
  back.peer.close();
  assert.equal(text(await readAll(front.peer)), "welcome");
  front.peer.close();
  await relay.finished;
  for (const socket of [client, backend]) socket.close();
});
