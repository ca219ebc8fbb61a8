import { asRow } from "../support/rows.ts";
import assert from "node:assert/strict";
import { Ledger } from "../../lib/pool/ledger.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { INSIDE, KEPT, type Order, type Outcome, PASSED, PASSED_LIMIT, START } from "./admitting_worker.ts";
import { within } from "./within.ts";

const WORKERS = 3;
const ROUNDS = 20_000;
const LIMIT = 30_001;

/** What a thread does with a ledger of its own. */
async function run(board: Scoreboard, ledger: Ledger): Promise<Outcome> {
  const thread = new Worker(import.meta.resolve("./admitting_worker.ts"), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  thread.onmessage = ({ data }): void => resolve(data);
  thread.onerror = ({ message }): void => reject(new Error(message));
  thread.postMessage(
    {
      scoreboard: board.buffer,
      ledger: ledger.buffer,
      workers: WORKERS,
      limit: LIMIT,
      rounds: ROUNDS,
    } satisfies Order,
  );
  try {
    return await within(promise, "a thread that counts");
  } finally {
    thread.terminate();
  }
}

/** Whether these are all numbers from `from` on, each once. */
function assertEachOnce(numbers: readonly number[], from: number): void {
  const sorted = Int32Array.from(numbers).sort();
  assert.ok(sorted.every((number, i) => number === from + i), "each number once");
}

Deno.test("limits are exact, counts are whole and turns are unique over three real workers at once", async () => {
  const board = new Scoreboard();
  const ledgers = Array.from({ length: WORKERS }, () => new Ledger(board));
  const outcomes = await Promise.all(ledgers.map((ledger) => run(board, ledger)));

  assert.equal(outcomes.reduce((sum, it) => sum + it.kept, 0), LIMIT);
  assert.equal(board.count(KEPT), LIMIT);
  // One worker may find both places taken all the time: those who hold them can be off the processor.
  const most = Math.max(...outcomes.map((it) => it.most));
  assert.ok(most >= 1 && most <= PASSED_LIMIT, `${most} at once`);
  assert.deepEqual([PASSED, INSIDE].map((row) => board.count(asRow(row))), [0, 0]);
  assertEachOnce(outcomes.flatMap((it) => [...it.turns]), 0);
  assertEachOnce(outcomes.flatMap((it) => [...it.tickets]), 1);

  ledgers.forEach((ledger, worker) => {
    assert.equal(ledger.held(KEPT), outcomes[worker]?.kept);
    const before = board.count(KEPT);
    const held = ledger.settle();
    assert.deepEqual([held.get(START), held.get(KEPT) ?? 0], [1, outcomes[worker]?.kept]);
    assert.equal(before - board.count(KEPT), outcomes[worker]?.kept);
  });
  assert.deepEqual([START, KEPT].map((row) => board.count(asRow(row))), [0, 0]);
});
