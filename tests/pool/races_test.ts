/** What another worker does between two steps of this one, which threads do too seldom for a test to rely on. */

import { asRow } from "../support/rows.ts";
import assert from "node:assert/strict";
import { type AlgorithmName, algorithms } from "../../lib/balance/algorithms.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { Pool } from "../../lib/pool/pool.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { join, outcomes } from "./line.ts";
import { onlyWhenWoken } from "./only_when_woken.ts";
import { FIRST_BACKEND, fullPool, POOL, QUEUE, type SharedPool, sharePool, SINGLE } from "./shared_pool.ts";

onlyWhenWoken();

/** A worker's view of the scoreboard, where something happens just after it has looked at the count of a backend. */
class InterruptedScoreboard extends Scoreboard {
  /** Called once, with the row. */
  afterLook: ((row: number) => void) | undefined;

  override count(row: number): number {
    const count = super.count(asRow(row));
    if (row < FIRST_BACKEND) return count;
    const happens = this.afterLook;
    this.afterLook = undefined;
    happens?.(row);
    return count;
  }
}

/** A third worker, whose view of the scoreboard is that. By `first` it looks at each backend once. */
function interruptedWorker({ board, one }: SharedPool, algorithm: AlgorithmName = "first"): {
  readonly scoreboard: InterruptedScoreboard;
  readonly pool: Pool;
} {
  const scoreboard = new InterruptedScoreboard(board.buffer);
  const deps = { scoreboard, ledger: new Ledger(scoreboard), worker: 2, onFailing: () => {} };
  return { scoreboard, pool: new Pool({ ...one.options, algorithm }, deps) };
}

for (const algorithm of Object.keys(algorithms) as AlgorithmName[]) {
  Deno.test(`${algorithm}: when another worker takes the last slot after it was looked at, somebody else is picked`, () => {
    const shared = sharePool({ a: SINGLE, b: SINGLE, c: { isBackup: true } });
    const { scoreboard, pool } = interruptedWorker(shared, algorithm);
    scoreboard.afterLook = (row) => assert.ok(shared.ledgers[0].take(asRow(row), 1));
    assert.ok(pool.take([], 1_234) !== undefined);
    assert.deepEqual(shared.active(), [1, 1, 0]);
  });
}

Deno.test("a slot that is freed just after a worker has looked, and before it sleeps, is not lost", async () => {
  const shared = fullPool({ a: SINGLE });
  const { board, one, backend, active } = shared;
  const { scoreboard, pool } = interruptedWorker(shared);
  const line = [join(pool)];
  assert.deepEqual(await outcomes(board, line), ["waits"]);
  // Something that does not matter wakes it; and while it looks, the slot is freed.
  scoreboard.afterLook = () => one.release(backend("a"));
  board.wake(POOL);
  assert.deepEqual(await outcomes(board, line), ["a"]);
  assert.deepEqual(active(), [1]);
});

Deno.test("a change that comes just after a worker has looked, and before it sleeps, is not missed", async () => {
  const shared = fullPool({ a: SINGLE, b: { isUp: false } });
  const { board, change } = shared;
  const { scoreboard, pool } = interruptedWorker(shared);
  const line = [join(pool), join(pool)];
  assert.deepEqual(await outcomes(board, line), ["waits", "waits"]);
  scoreboard.afterLook = () => change("b", { isUp: true, ...SINGLE });
  board.wake(POOL);
  assert.deepEqual(await outcomes(board, line), ["b", "waits"]);
});

Deno.test("a slot that is freed while a session gets in line is not lost", async () => {
  const shared = fullPool({ a: SINGLE });
  const { board, one, backend } = shared;
  const { scoreboard, pool } = interruptedWorker(shared);
  // It gets in line because it has seen the backend full just before that slot was freed, when nobody waited.
  scoreboard.afterLook = () => one.release(backend("a"));
  assert.equal(pool.take([], 0), undefined);
  assert.deepEqual(shared.active(), [0]);
  assert.deepEqual(await outcomes(board, [join(pool)]), ["a"]);
  assert.deepEqual([board.count(POOL), board.count(QUEUE)], [0, 0]);
});
