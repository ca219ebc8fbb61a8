import assert from "node:assert/strict";
import { Buffers, RECEIVE_BYTES } from "../../lib/engine/epoll/buffers.ts";
import { pattern, same } from "../support/bytes.ts";

Deno.test("a few bytes that a slow reader has left do not keep a whole buffer", () => {
  const buffers = new Buffers();
  const data = pattern(RECEIVE_BYTES);
  buffers.current.set(data);
  const first = buffers.current.buffer;
  const held = buffers.hold(0, RECEIVE_BYTES);
  const rest = buffers.sent(held, RECEIVE_BYTES - 10);
  assert.equal(rest?.buffer.byteLength, 10);
  assert.equal(buffers.heldBytes, 10);
  buffers.hold(0, RECEIVE_BYTES);
  assert.ok(buffers.current.buffer === first, "the buffer is used again");
  buffers.current.fill(0);
  assert.ok(rest !== undefined && same(rest, data.subarray(-10)));
  assert.equal(buffers.sent(rest, 10), undefined);
});
