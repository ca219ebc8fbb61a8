/** What becomes of a line when a worker hangs or dies. */

import assert from "node:assert/strict";
import { Ledger } from "../../lib/pool/ledger.ts";
import { Pool } from "../../lib/pool/pool.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { assertNobodyWaits, join, outcomes } from "./line.ts";
import { onlyWhenWoken } from "./only_when_woken.ts";
import { fullPool, POOL, QUEUE, queueOf, type SharedPool, sharePool, SINGLE } from "./shared_pool.ts";

onlyWhenWoken();

/** The scoreboard of a worker that hears nothing any more. */
class DeafScoreboard extends Scoreboard {
  override woken(): Promise<void> {
    return new Promise(() => {});
  }
}

/** A third worker, which hangs until it is given up, and what the control plane does about it then. */
function hangingWorker({ board, one, backends }: SharedPool): { pool: Pool; giveUp: () => number } {
  const ledger = new Ledger(board);
  const scoreboard = new DeafScoreboard(board.buffer);
  const pool = new Pool(one.options, { scoreboard, ledger, worker: 2, onFailing: () => {} });
  const giveUp = (): number => {
    const held = ledger.settle();
    board.setTableCell(QUEUE, 2, 0);
    board.wake(POOL);
    return backends.reduce((sum, { row }) => sum + (held.get(row) ?? 0), 0);
  };
  return { pool, giveUp };
}

Deno.test("a worker that dies in line holds up nobody, and its places are free", async () => {
  const shared = fullPool({ a: SINGLE });
  const { board, one, two, backend, active } = shared;
  const { pool, giveUp } = hangingWorker(shared);
  const dead = [join(pool), join(pool)];
  pool.queue?.halfClosed(dead[1]?.queued ?? assert.fail());
  const line = [join(one), join(two)];
  one.release(backend("a"));
  assert.deepEqual(await outcomes(board, line), ["waits", "waits"], "it is the turn of the one that hangs");
  assert.equal(giveUp(), 0);
  assert.deepEqual(await outcomes(board, line), ["a", "waits"]);
  assert.deepEqual([board.count(POOL), board.count(QUEUE)], [1, 0]);
  one.release(backend("a"));
  assert.deepEqual(await outcomes(board, line), ["a", "a"]);
  assert.deepEqual(active(), [1]);
  assertNobodyWaits(board);
});

Deno.test("a worker that is given up and runs on neither frees a slot of another nor stands in line again", async () => {
  const shared = fullPool({ a: SINGLE, b: SINGLE });
  const { board, one, backend, active } = shared;
  const { pool, giveUp } = hangingWorker(shared);
  one.release(backend("b"));
  assert.equal(pool.take([], 0)?.name, "b");
  const dead = [join(pool), join(pool)];
  const line = [join(one), join(one)];
  assert.equal(giveUp(), 1);
  assert.deepEqual(await outcomes(board, line), ["b", "waits"]);

  pool.release(backend("b"));
  queueOf(pool).leave(dead[0]?.queued ?? assert.fail());
  assert.deepEqual(active(), [1, 1], "b is taken by the one that waited");
  assert.deepEqual([board.count(POOL), board.tableCell(QUEUE, 2)], [1, 0]);
  board.setTableCell(QUEUE, 2, 4_711);
  queueOf(pool).leave(dead[1]?.queued ?? assert.fail());
  assert.equal(board.tableCell(QUEUE, 2), 4_711, "the cell is that of the next worker with its number");
  board.setTableCell(QUEUE, 2, 0);
  one.release(backend("a"));
  assert.deepEqual(await outcomes(board, line), ["b", "a"]);
});

Deno.test("when the first leaves and a slot is free, the next one has it, in the other worker", async () => {
  const shared = fullPool({ a: SINGLE });
  const { board, one, two, backend } = shared;
  const { pool } = hangingWorker(shared);
  const [first, next] = [join(pool), join(two)];
  one.release(backend("a"));
  assert.deepEqual(await outcomes(board, [first, next]), ["waits", "waits"]);
  queueOf(pool).leave(first.queued);
  assert.deepEqual(await outcomes(board, [first, next]), ["left", "a"]);
  assertNobodyWaits(board);
});

Deno.test("one that has tried a backend is held up by nobody, not even by a worker that hangs", async () => {
  const shared = fullPool({ a: SINGLE, b: SINGLE });
  const { board, one, two, backend } = shared;
  const line = [join(hangingWorker(shared).pool), join(two), join(two, [backend("a")])];
  one.release(backend("b"));
  assert.deepEqual(await outcomes(board, line), ["waits", "waits", "b"]);
});

Deno.test("the slots of a worker that dies go to those who wait, in both workers", async () => {
  const shared = sharePool({ a: SINGLE, b: SINGLE }, { queue: { row: QUEUE, size: 10, timeoutMs: 0 } });
  const { board, one, two, active } = shared;
  const { pool, giveUp } = hangingWorker(shared);
  while (pool.take([], 0) !== undefined);
  const line = [join(one), join(two), join(one)];
  assert.equal(giveUp(), 2);
  assert.deepEqual((await outcomes(board, line)).toSorted(), ["a", "b", "waits"]);
  assert.deepEqual(active(), [1, 1]);
  assert.equal(board.count(POOL), 1);
});
