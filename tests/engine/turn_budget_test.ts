import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { MAX_TURN_CHUNKS, TurnBudget } from "../../lib/engine/runtime/turn_budget.ts";

/** Resolves at the end of this turn of the event loop. */
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** As many chunks as that arrive at once; gives the list of those that have passed, which grows. */
function arrive(budget: TurnBudget, names: readonly number[], passed: number[]): void {
  for (const name of names) budget.spend(() => passed.push(name));
}

const CROWD = { size: 1_000 };

const upTo = (end: number, start = 0): number[] => Array.from({ length: end - start }, (_, i) => start + i);

Deno.test("a turn passes on so many chunks, and the others go in their order when more arrive", async () => {
  const budget = new TurnBudget(CROWD);
  const passed: number[] = [];
  const crowd = 2 * MAX_TURN_CHUNKS + 10;
  arrive(budget, upTo(crowd), passed);
  assert.deepEqual(passed, upTo(MAX_TURN_CHUNKS));
  await endOfTurn();
  assert.deepEqual(passed, upTo(MAX_TURN_CHUNKS));
  arrive(budget, [crowd], passed);
  assert.deepEqual(passed, upTo(2 * MAX_TURN_CHUNKS));
  await endOfTurn();
  arrive(budget, [crowd + 1], passed);
  assert.deepEqual(passed.toSorted((a, b) => a - b), upTo(crowd + 2));
  assert.deepEqual(passed.filter((name) => name <= crowd), upTo(crowd + 1));
});

Deno.test("those who wait go on when nothing more arrives", async () => {
  const budget = new TurnBudget(CROWD);
  const passed: number[] = [];
  const crowd = upTo(5 * MAX_TURN_CHUNKS);
  const last = new Promise<void>((resolve) => {
    arrive(budget, crowd, passed);
    budget.spend(resolve);
  });
  assert.deepEqual(passed, upTo(MAX_TURN_CHUNKS));
  await last;
  assert.deepEqual(passed, crowd);
});

Deno.test("a few chunks a turn never wait, however many turns there are", async () => {
  const budget = new TurnBudget(CROWD);
  for (let turn = 0; turn < 100; turn++) {
    const passed: number[] = [];
    arrive(budget, upTo(MAX_TURN_CHUNKS / 2), passed);
    assert.deepEqual(passed, upTo(MAX_TURN_CHUNKS / 2));
    // deno-lint-ignore no-await-in-loop -- turns follow one another
    await endOfTurn();
  }
});

Deno.test("as few sessions as the runtime serves in one turn never wait", () => {
  const budget = new TurnBudget({ size: 64 });
  const passed: number[] = [];
  arrive(budget, upTo(1_000), passed);
  assert.deepEqual(passed, upTo(1_000));
});
