/** What only the runtime's engine has to do for first bytes and prefaces: it reads with promises, into buffers that others use. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import type { RelayEvents } from "../../lib/engine/contract.ts";
import { Buffers } from "../../lib/engine/runtime/buffers.ts";
import { RuntimeEngine } from "../../lib/engine/runtime/engine.ts";
import { RuntimeClient, RuntimeSocket } from "../../lib/engine/runtime/socket.ts";
import { bytes, readAll, text } from "../support/bytes.ts";
import { pair } from "../support/pair.ts";

const NO_EVENTS = {
  clientGone: () => assert.fail("it was closed here"),
  enough: () => assert.fail("it is closed"),
  tooFew: () => assert.fail("it is closed"),
  fault: (fault: unknown) => assert.fail(String(fault)),
};

/** Resolves when all promises that are settled have been followed. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("a socket that was closed just after bytes came asks nothing, tells nothing and reads no more", async () => {
  for (const filled of [6, null]) {
    const first = Promise.withResolvers<number | null>();
    let reads = 0;
    const conn = {
      read: () => ++reads === 1 ? first.promise : assert.fail("it is closed"),
      close: () => {},
    };
    const client = new RuntimeClient(conn as unknown as Deno.Conn, new Buffers());
    client.readAhead(NO_EVENTS);
    client.firstBytes(() => assert.fail("it is closed"), NO_EVENTS, 100);
    first.resolve(filled);
    client.close();
    // deno-lint-ignore no-await-in-loop -- one case after the other
    await settled();
    assert.equal(reads, 1);
  }
});

Deno.test("a socket that is closed between the answer and its telling tells nothing", async () => {
  const { peer, end } = await pair();
  const client = new RuntimeClient(end, new Buffers());
  const asked = Promise.withResolvers<void>();
  client.readAhead(NO_EVENTS);
  client.firstBytes(
    () => {
      queueMicrotask(() => client.close());
      asked.resolve();
      return true;
    },
    NO_EVENTS,
    100,
  );
  await writeAll(peer, bytes("whole\n"));
  await asked.promise;
  await settled();
  peer.close();
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
  const finished = Promise.withResolvers<void>();
  const on: RelayEvents = {
    ...NO_EVENTS,
    writesPending: () => {},
    moved: () => {},
    answerLost: () => {},
    directionEnded: () => {},
    backendGone: () => {},
    clientTold: () => {},
    finished: finished.resolve,
  };
  new RuntimeEngine({ size: 1 }).relay(client, backend, on);
  await writeAll(front.peer, bytes("hello"));
  await front.peer.closeWrite();
  assert.equal(text(await readAll(back.peer)), "PREFACE hello");
  assert.deepEqual(steps, ["no delay: true", "PREFACE ", "hello"]);
  back.peer.close();
  await finished.promise;
  for (const socket of [client, backend, front.peer]) socket.close();
});
