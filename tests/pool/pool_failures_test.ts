import assert from "node:assert/strict";
import { sharePool } from "./shared_pool.ts";

const TWO = { a: {}, b: {} };

Deno.test("a backend is reported when it has failed so often in a row, and again with every so many", () => {
  const { one, backend, reported } = sharePool(TWO, { consecutiveFailures: 3 });
  const after = Array.from({ length: 9 }, () => {
    one.failed(backend("a"));
    return reported.length;
  });
  assert.deepEqual(after, [0, 0, 1, 1, 1, 2, 2, 2, 3]);
  assert.deepEqual(reported, ["a", "a", "a"]);
});

Deno.test("failures count over all workers, for each backend by itself", () => {
  const { one, two, backend, reported } = sharePool(TWO, { consecutiveFailures: 3 });
  one.failed(backend("a"));
  two.failed(backend("a"));
  two.failed(backend("b"));
  one.failed(backend("b"));
  assert.deepEqual(reported, []);
  two.failed(backend("a"));
  assert.deepEqual(reported, ["a"]);
  one.failed(backend("b"));
  assert.deepEqual(reported, ["a", "b"]);
});

Deno.test("an answer to any worker ends the row of failures of that backend alone", () => {
  const { one, two, backend, reported } = sharePool(TWO, { consecutiveFailures: 2 });
  for (const name of ["a", "b"]) one.failed(backend(name));
  two.answered(backend("a"));
  one.failed(backend("a"));
  assert.deepEqual(reported, []);
  one.failed(backend("b"));
  assert.deepEqual(reported, ["b"]);
  one.failed(backend("a"));
  assert.deepEqual(reported, ["b", "a"]);
});

Deno.test("a backend that never fails twice in a row is never reported", () => {
  const { one, two, backend, reported } = sharePool(TWO, { consecutiveFailures: 2 });
  for (let i = 0; i < 100; i++) {
    (i % 3 === 0 ? two : one).failed(backend("a"));
    (i % 2 === 0 ? two : one).answered(backend("a"));
  }
  assert.deepEqual(reported, []);
});

Deno.test("each failure is reported when one is too many", () => {
  const { one, backend, reported } = sharePool(TWO, { consecutiveFailures: 1 });
  for (const name of ["a", "b", "a"]) one.failed(backend(name));
  assert.deepEqual(reported, ["a", "b", "a"]);
});

Deno.test("nobody is reported, and nothing counted, when failures do not matter", () => {
  const { board, one, two, backend, reported } = sharePool(TWO, { consecutiveFailures: 0 });
  for (let i = 0; i < 100; i++) (i % 2 === 0 ? one : two).failed(backend("a"));
  one.answered(backend("a"));
  assert.deepEqual(reported, []);
  assert.equal(board.addFailure(backend("a").row), 1);
});

Deno.test("a failure or an answer takes and gives back no slot", () => {
  const { one, backend, active } = sharePool(TWO, { consecutiveFailures: 2 });
  one.take([], 0);
  one.failed(backend("a"));
  one.failed(backend("a"));
  one.answered(backend("b"));
  assert.deepEqual(active(), [1, 0]);
});
