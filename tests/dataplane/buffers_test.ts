import assert from "node:assert/strict";
import { Buffers, LARGE_BUFFER_BYTES, SMALL_BUFFER_BYTES } from "../../lib/dataplane/buffers.ts";

Deno.test("a relay waits with a small buffer, grows when a read fills it, and shrinks when little comes", () => {
  const buffers = new Buffers();
  const small = buffers.small();
  assert.equal(small.length, SMALL_BUFFER_BYTES);
  assert.equal(buffers.fitted(small, SMALL_BUFFER_BYTES - 1), small);
  const large = buffers.fitted(small, SMALL_BUFFER_BYTES);
  assert.equal(large.length, LARGE_BUFFER_BYTES);
  assert.equal(buffers.fitted(large, LARGE_BUFFER_BYTES), large);
  assert.equal(buffers.fitted(large, SMALL_BUFFER_BYTES), large);
  assert.equal(buffers.fitted(large, 10), small, "the small one is used again");
  assert.equal(buffers.large(), large, "and so is the large one");
});

/** Numbers for memory blocks, so that they can be compared as text. */
const ids = {
  known: new Map<ArrayBufferLike, number>(),
  of(block: ArrayBufferLike): number {
    if (!this.known.has(block)) this.known.set(block, this.known.size);
    return this.known.get(block) ?? -1;
  },
};

Deno.test("no two relays hold the same buffer", () => {
  const buffers = new Buffers();
  const held = Array.from({ length: 50 }, () => [buffers.small(), buffers.large()]).flat();
  for (const buffer of held) buffers.giveBack(buffer);
  const again = Array.from({ length: 100 }, () => [buffers.small(), buffers.large()]).flat();
  assert.equal(
    new Set(again.map((buffer) => `${ids.of(buffer.buffer)} ${buffer.byteOffset}`)).size,
    again.length,
  );
});
