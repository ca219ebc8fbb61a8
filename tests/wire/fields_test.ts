import assert from "node:assert/strict";
import { Fields } from "../../lib/wire/fields.ts";

Deno.test("fields are read in order, numbers in network order", () => {
  const fields = new Fields(Uint8Array.of(1, 2, 3, 4, 5));
  assert.deepEqual([fields.uint8(), fields.uint16(), fields.left, fields.isShort], [1, 0x0203, 2, false]);
  assert.deepEqual([fields.bytes(2), fields.left, fields.isShort], [Uint8Array.of(4, 5), 0, false]);
});

Deno.test("after a field that reaches beyond the end nothing is left, and every field is empty or 0", () => {
  const fields = new Fields(Uint8Array.of(1, 2, 3).subarray(0, 2));
  assert.equal(fields.bytes(3).length, 0);
  assert.deepEqual([fields.isShort, fields.left, fields.uint8(), fields.uint16(), fields.bytes(1).length], [
    true,
    0,
    0,
    0,
    0,
  ]);
});
