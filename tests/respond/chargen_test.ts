import assert from "node:assert/strict";
import type { Connection } from "../../lib/core/connection.ts";
import { chargen } from "../../lib/respond/chargen.ts";
import { bytes, text } from "../support/bytes.ts";

const LINE_BYTES = 74;
const PERIOD_BYTES = 95 * LINE_BYTES;

/** A peer that sends something, ends when it has received so many bytes, and keeps them. */
function receiver(enoughBytes: number): Connection & { received(): string } {
  const parts: Uint8Array[] = [];
  let receivedBytes = 0;
  let hasSent = false;
  const enough = Promise.withResolvers<null>();
  return {
    read: (buffer) => {
      if (hasSent) return enough.promise;
      hasSent = true;
      buffer.set(bytes("ignored"));
      return Promise.resolve(7);
    },
    write: (data) => {
      const taken = data.slice(0, 1_000);
      parts.push(taken);
      receivedBytes += taken.length;
      if (receivedBytes >= enoughBytes) enough.resolve(null);
      return Promise.resolve(taken.length);
    },
    closeWrite: () => assert.fail("closed"),
    received: () => parts.map(text).join(""),
  };
}

Deno.test("chargen sends the pattern of RFC 864", async () => {
  const peer = receiver(2 * PERIOD_BYTES);
  await chargen(peer);
  const lines = peer.received().split("\r\n");
  assert.equal(lines[1], "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh");
  for (let i = 0; i < 190; i++) {
    const line = lines[i] ?? "";
    assert.equal(line.length, 72);
    for (let j = 0; j < 72; j++) assert.equal(line.charCodeAt(j), 32 + (i + j) % 95);
  }
});

Deno.test("chargen stops when the peer ends its sending side, at the end of a pattern", async () => {
  const peer = receiver(1);
  await chargen(peer);
  const received = peer.received().length;
  assert.equal(received % PERIOD_BYTES, 0);
  assert.ok(received <= 3 * PERIOD_BYTES, `${received} bytes`);
});

Deno.test("when the peer goes, chargen fails once and leaves no rejection that nobody handles", async () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onUnhandled);
  try {
    const gone = Promise.withResolvers<never>();
    const failing = chargen({
      read: () => gone.promise,
      write: () => Promise.reject(new Error("Broken pipe")),
      closeWrite: () => assert.fail("closed"),
    });
    await assert.rejects(failing, new Error("Broken pipe"));
    // The server closes the connection now, which ends the read that is still waiting.
    gone.reject(new Error("operation canceled"));
    await new Promise((resolve) => setTimeout(resolve, 0));
  } finally {
    globalThis.removeEventListener("unhandledrejection", onUnhandled);
  }
  assert.deepEqual(unhandled, []);
});
