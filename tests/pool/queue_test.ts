// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Pool } from "../../lib/pool/pool.ts";
import { assertNobodyWaits, ended, join, outcomes, tryToJoin } from "./line.ts";
import { onlyWhenWoken } from "./only_when_woken.ts";
import { fullPool, queueOf, type SharedPool, SINGLE } from "./shared_pool.ts";

onlyWhenWoken();

/** One backend with one slot, which is taken by the first worker. */
function onePlace(size = 100, timeoutMs = 0): SharedPool {
  return fullPool({ a: SINGLE }, { size, timeoutMs });
}

/** Ends the session that has the only slot. */
function release(pool: Pool): void {
  const [backend] = pool.options.backends;
  assert.ok(backend !== undefined);
  pool.release(backend);
}

Deno.test("a session that waits gets the slot that is freed, and has it", async () => {
  const { board, one, active } = onePlace();
  assert.ok(queueOf(one).isEmpty);
  const waiting = join(one);
  assert.ok(!queueOf(one).isEmpty);
  assert.deepEqual(await outcomes(board, [waiting]), ["waits"]);
  release(one);
  assert.equal(await ended(waiting), "a");
  assert.deepEqual(active(), [1]);
  assert.ok(queueOf(one).isEmpty);
  release(one);
  assert.deepEqual(active(), [0]);
  assertNobodyWaits(board);
});

Deno.test("each worker sees that sessions wait in the other one", () => {
  const { one, two } = onePlace();
  const waiting = join(two);
  assert.ok(!queueOf(one).isEmpty);
  queueOf(two).leave(waiting.queued);
  assert.ok(queueOf(one).isEmpty);
});

Deno.test("a slot that is freed goes to the earliest, even if it waits in the other worker", async () => {
  const { board, one, two } = onePlace();
  const line = [join(one), join(two), join(two), join(one)];
  release(two);
  assert.deepEqual(await outcomes(board, line), ["a", "waits", "waits", "waits"]);
  release(one);
  assert.deepEqual(await outcomes(board, line), ["a", "a", "waits", "waits"]);
  release(one);
  assert.deepEqual(await outcomes(board, line), ["a", "a", "a", "waits"]);
  release(two);
  assert.deepEqual(await outcomes(board, line), ["a", "a", "a", "a"]);
  assertNobodyWaits(board);
});

Deno.test("sessions are served in the order of their arrival, in whichever worker each of them waits", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }), async (isOne) => {
      const { board, one, two, active } = onePlace();
      const served: number[] = [];
      const sessions = isOne.map(async (isOne, i) => {
        const waiting = join(isOne ? one : two);
        assert.equal(await ended(waiting), "a");
        served.push(i);
        release(waiting.pool);
      });
      release(one);
      await Promise.all(sessions);
      assert.deepEqual(served, [...isOne.keys()]);
      assert.deepEqual(active(), [0]);
      assertNobodyWaits(board);
    }),
    { numRuns: 50 },
  );
});

Deno.test("the order holds where tickets wrap around", async () => {
  const shared = onePlace();
  for (const before of [2 ** 31 - 3, -3]) {
    // The pool has row 0, and its last ticket is there; if it ever moves, the tickets below have one sign.
    new Int32Array(shared.board.buffer)[4] = before;
    const line = [shared.one, shared.two, shared.two, shared.one, shared.two].map((pool) => join(pool));
    const signs = new Set(line.map(({ queued }) => Math.sign(queued.ticket)));
    assert.equal(signs.size, 2, "tickets on both sides");
    for (const waiting of line) {
      const at = line.indexOf(waiting);
      release(at % 2 === 0 ? shared.two : shared.one);
      const expected = line.map((_, i) => i <= at ? "a" : "waits");
      assert.deepEqual(await outcomes(shared.board, line), expected);
    }
  }
});

Deno.test("as many may wait as the size says, over all workers", async () => {
  const { board, one, two } = onePlace(3);
  const line = [join(one), join(two), join(one)];
  assert.equal(tryToJoin(one), undefined);
  assert.equal(tryToJoin(two), undefined);
  release(two);
  assert.deepEqual(await outcomes(board, line), ["a", "waits", "waits"]);
  assert.ok(tryToJoin(two) !== undefined);
  assert.equal(tryToJoin(one), undefined);
});

Deno.test("who leaves makes room at once, and gets nothing", async () => {
  const { board, one, two } = onePlace(2);
  const leaves = join(one);
  const line = [leaves, join(two)];
  queueOf(one).leave(leaves.queued);
  line.push(join(two));
  assert.equal(tryToJoin(one), undefined);
  release(one);
  assert.deepEqual(await outcomes(board, line), ["left", "a", "waits"]);
});

Deno.test("who leaves after its turn has come changes nothing: it has the slot, and gives it back", async () => {
  const { board, one, active } = onePlace();
  const waiting = join(one);
  release(one);
  queueOf(one).leave(waiting.queued);
  queueOf(one).leave(waiting.queued);
  assert.equal(await ended(waiting), "a");
  assert.deepEqual(active(), [1]);
  assertNobodyWaits(board);
});

Deno.test("who waits too long is told so at its time, and no other", async () => {
  const { board, one, two } = onePlace(3, 500);
  const line = [join(one, [], 1_000), join(one, [], 1_200), join(two, [], 1_000)];
  const tick = (nowMs: number): Promise<string[]> => {
    for (const pool of [one, two]) queueOf(pool).onTick(nowMs);
    return outcomes(board, line);
  };
  assert.deepEqual(await tick(1_499), ["waits", "waits", "waits"]);
  assert.deepEqual(await tick(1_500), ["queue_timeout", "waits", "queue_timeout"]);
  line.push(join(two, [], 1_500), join(two, [], 1_500));
  assert.equal(tryToJoin(one, [], 1_500), undefined);
  release(two);
  assert.deepEqual(await tick(1_699), ["queue_timeout", "a", "queue_timeout", "waits", "waits"]);
  assert.deepEqual((await tick(2_000)).slice(3), ["queue_timeout", "queue_timeout"]);
  assertNobodyWaits(board);
});

Deno.test("without a timeout sessions wait as long as it takes", async () => {
  const { board, one } = onePlace(3, 0);
  const waiting = join(one, [], 0);
  queueOf(one).onTick(Number.MAX_SAFE_INTEGER);
  assert.deepEqual(await outcomes(board, [waiting]), ["waits"]);
});

Deno.test("a half-closed session keeps its turn, but its place is free for another one", async () => {
  const { board, one, two } = onePlace(1);
  const first = join(one);
  assert.equal(tryToJoin(two), undefined);
  queueOf(one).halfClosed(first.queued);
  queueOf(one).halfClosed(first.queued);
  const line = [first, join(two)];
  assert.equal(tryToJoin(one), undefined);
  release(two);
  assert.deepEqual(await outcomes(board, line), ["a", "waits"]);
  assert.equal(tryToJoin(one), undefined, "one place, and one who waits");
  release(one);
  assert.deepEqual(await outcomes(board, line), ["a", "a"]);
  assertNobodyWaits(board);
});

Deno.test("a half-closed session that leaves, is too late or was served frees no other place", async () => {
  const { board, one, two } = onePlace(1, 500);
  const leaves = join(one);
  queueOf(one).halfClosed(leaves.queued);
  const stays = join(two, [], 100);
  queueOf(one).leave(leaves.queued);
  assert.equal(tryToJoin(one), undefined);
  queueOf(two).halfClosed(stays.queued);
  const other = join(one, [], 200);
  queueOf(two).onTick(600);
  assert.deepEqual(await outcomes(board, [leaves, stays, other]), ["left", "queue_timeout", "waits"]);
  assert.equal(tryToJoin(two), undefined);
  release(two);
  assert.equal(await ended(other), "a");
  queueOf(one).halfClosed(other.queued);
  assertNobodyWaits(board);
});
