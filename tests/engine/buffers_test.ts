import assert from "node:assert/strict";
import {
  Buffers,
  LARGE_BUFFER_BYTES,
  MEDIUM_BUFFER_BYTES,
  SMALL_BUFFER_BYTES,
} from "../../lib/engine/runtime/buffers.ts";

Deno.test("a relay waits with a small buffer and takes a larger one whenever a read has filled it", () => {
  const buffers = new Buffers();
  const small = buffers.small();
  assert.equal(small.length, SMALL_BUFFER_BYTES);
  assert.equal(buffers.fitted(small, SMALL_BUFFER_BYTES - 1), small);
  const medium = buffers.fitted(small, SMALL_BUFFER_BYTES);
  assert.equal(medium.length, MEDIUM_BUFFER_BYTES);
  assert.equal(buffers.fitted(medium, MEDIUM_BUFFER_BYTES - 1), medium, "answers of some kilobytes keep it");
  const large = buffers.fitted(medium, MEDIUM_BUFFER_BYTES);
  assert.equal(large.length, LARGE_BUFFER_BYTES);
  assert.equal(buffers.fitted(large, LARGE_BUFFER_BYTES), large, "bulk data keeps it");
});

Deno.test("a large buffer that was not filled is given back at once, a medium one when little comes", () => {
  const buffers = new Buffers();
  const large = buffers.large();
  const medium = buffers.fitted(large, LARGE_BUFFER_BYTES - 1);
  assert.equal(medium.length, MEDIUM_BUFFER_BYTES);
  assert.equal(buffers.large(), large, "it is used again");
  assert.equal(buffers.fitted(medium, SMALL_BUFFER_BYTES).length, SMALL_BUFFER_BYTES);
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
