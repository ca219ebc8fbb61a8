import { asRow } from "../support/rows.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import { Ledger } from "../../lib/pool/ledger.ts";
import type { Row } from "../../lib/pool/row.ts";
import { MAX_ROWS, Scoreboard } from "../../lib/pool/scoreboard.ts";
import { within } from "./within.ts";

/** A scoreboard, and the ledgers of two workers that have views of their own. */
function twoWorkers(): { board: Scoreboard; one: Ledger; two: Ledger } {
  const board = new Scoreboard();
  const ledger = (): Ledger => new Ledger(new Scoreboard(board.buffer));
  return { board, one: ledger(), two: ledger() };
}

Deno.test("a count goes up to the limit, over all workers", () => {
  const { board, one, two } = twoWorkers();
  assert.deepEqual([one.take(asRow(0), 3), two.take(asRow(0), 3), one.take(asRow(0), 3)], [true, true, true]);
  assert.deepEqual([one.take(asRow(0), 3), two.take(asRow(0), 3)], [false, false]);
  assert.deepEqual([board.count(asRow(0)), one.held(asRow(0)), two.held(asRow(0))], [3, 2, 1]);
  two.giveBack(asRow(0));
  assert.deepEqual([board.count(asRow(0)), one.held(asRow(0)), two.held(asRow(0))], [2, 2, 0]);
  assert.deepEqual([one.take(asRow(0), 3), one.take(asRow(0), 3)], [true, false]);
});

Deno.test("the limit of one row is not that of another", () => {
  const { one } = twoWorkers();
  assert.ok(one.take(asRow(0), 1));
  assert.ok(one.take(asRow(MAX_ROWS - 1), 1));
  assert.ok(!one.take(asRow(0), 1));
  one.giveBack(asRow(MAX_ROWS - 1));
  assert.ok(!one.take(asRow(0), 1));
  assert.ok(one.take(asRow(MAX_ROWS - 1), 1));
});

Deno.test("a limit of 0 is none", () => {
  const { board, one, two } = twoWorkers();
  for (let i = 0; i < 10_000; i++) assert.ok((i % 3 === 0 ? one : two).take(asRow(0), 0));
  assert.equal(board.count(asRow(0)), 10_000);
});

Deno.test("a limit that was lowered under the count lets nobody in until the count is under it", () => {
  const { one, two } = twoWorkers();
  for (let i = 0; i < 4; i++) assert.ok(one.take(asRow(0), 4));
  for (let left = 4; left >= 2; left--) {
    assert.ok(!two.take(asRow(0), 2), `${left} are left`);
    one.giveBack(asRow(0));
  }
  assert.ok(two.take(asRow(0), 2));
});

Deno.test("the control plane sees in the memory of a ledger what the worker has", () => {
  const { board, one } = twoWorkers();
  one.take(asRow(4), 0);
  one.take(asRow(4), 0);
  const seen = new Ledger(board, one.buffer);
  assert.deepEqual([seen.held(asRow(4)), seen.held(asRow(5))], [2, 0]);
  seen.settle();
  assert.equal(one.held(asRow(4)), 0);
});

Deno.test("who waits is woken when a count is lowered", async () => {
  const { board, one, two } = twoWorkers();
  assert.ok(one.take(asRow(0), 1));
  const waiting = board.lowered(asRow(0), 1, 60_000);
  one.giveBack(asRow(0));
  board.tellLowered(asRow(0));
  await within(waiting, "the wake");
  assert.ok(two.take(asRow(0), 1));
});

Deno.test("who waits is not woken for another row, and goes on when its time is up", async () => {
  const { board, one } = twoWorkers();
  for (const row of [0, 1]) assert.ok(one.take(asRow(row), 1));
  const begunMs = performance.now();
  const waiting = board.lowered(asRow(0), 1, 50);
  one.giveBack(asRow(1));
  board.tellLowered(asRow(1));
  await within(waiting, "the end of the wait");
  assert.ok(performance.now() - begunMs >= 45);
});

Deno.test("who waits when there is room already does not wait", async () => {
  await within(new Scoreboard().lowered(asRow(0), 1, 60_000), "what is there already");
});

Deno.test("each one that is told wakes one of those who wait, and in the end all of them", async () => {
  const { board, one, two } = twoWorkers();
  const limit = 3;
  for (let i = 0; i < limit; i++) assert.ok(one.take(asRow(0), limit));
  let admitted = 0;
  const wait = async (): Promise<void> => {
    // deno-lint-ignore no-await-in-loop -- to wait and to try again is what a worker does
    while (!two.take(asRow(0), limit)) await board.lowered(asRow(0), limit, 60_000);
    admitted++;
  };
  const waiting = [wait(), wait(), wait()];
  assert.equal(admitted, 0);
  for (let i = 0; i < limit; i++) {
    one.giveBack(asRow(0));
    board.tellLowered(asRow(0));
  }
  await within(Promise.all(waiting), "all who wait");
  assert.deepEqual([board.count(asRow(0)), two.held(asRow(0))], [limit, limit]);
});

Deno.test("a worker that died gives back exactly what it held, whatever rows that is of, and says how much it was", () => {
  const { board, one, two } = twoWorkers();
  for (const row of [0, 0, 1, 2, 3]) assert.ok(one.take(asRow(row), 0));
  for (const row of [0, 2]) assert.ok(two.take(asRow(row), 0));
  one.giveBack(asRow(1));

  assert.deepEqual([...one.settle()], [[0, 2], [2, 1], [3, 1]]);
  assert.deepEqual([0, 1, 2, 3].map((row) => board.count(asRow(row))), [1, 0, 1, 0]);
  assert.deepEqual([0, 1, 2, 3].map((row) => one.held(asRow(row))), [0, 0, 0, 0]);

  assert.equal(one.settle().size, 0, "again");
  assert.deepEqual([...two.settle()], [[0, 1], [2, 1]]);
  assert.deepEqual([0, 1, 2, 3].map((row) => board.count(asRow(row))), [0, 0, 0, 0]);
});

Deno.test("a worker that is given up and runs on gives back nothing twice, and counts nothing any more", () => {
  const { board, one, two } = twoWorkers();
  for (const ledger of [one, one, two]) assert.ok(ledger.take(asRow(0), 0));
  new Ledger(board, one.buffer).settle();
  assert.equal(one.giveBack(asRow(0)), 1);
  assert.deepEqual([board.count(asRow(0)), two.held(asRow(0))], [1, 1]);
  assert.ok(one.take(asRow(0), 0));
  one.giveBack(asRow(0));
  assert.deepEqual([board.count(asRow(0)), one.held(asRow(0))], [1, 0]);
});

Deno.test("a settlement in the middle of taking or giving back misses nothing and counts nothing twice", () => {
  for (const step of ["raise", "lower"] as const) {
    for (const when of ["before", "after"]) {
      const board = new Scoreboard();
      const theirs = new Scoreboard(board.buffer);
      const ledger = new Ledger(theirs);
      ledger.take(asRow(0), 0);
      const settle = (): void => void new Ledger(board, ledger.buffer).settle();
      const change = theirs[step].bind(theirs) as (row: Row, amount: number) => boolean & number;
      theirs[step] = (row, amount) => {
        if (when === "before") settle();
        const result = change(row, amount);
        if (when === "after") settle();
        return result;
      };
      if (step === "raise") ledger.take(asRow(0), 0);
      else ledger.giveBack(asRow(0));
      assert.equal(board.count(asRow(0)), 0, `${when} ${step}`);
    }
  }
});

Deno.test("a worker that died wakes who waits for what it held", async () => {
  const { board, one, two } = twoWorkers();
  assert.ok(one.take(asRow(0), 1));
  const waiting = board.lowered(asRow(0), 1, 60_000);
  one.settle();
  await within(waiting, "the wake");
  assert.ok(two.take(asRow(0), 1));
});

Deno.test("a worker that died with several places wakes as many as can have them", async () => {
  const { board, one, two } = twoWorkers();
  for (let i = 0; i < 3; i++) assert.ok(one.take(asRow(0), 3));
  const waiting = [1, 2, 3].map(() => board.lowered(asRow(0), 3, 60_000));
  one.settle();
  await within(Promise.all(waiting), "all for whom there is a place", 5_000);
  for (let i = 0; i < 3; i++) assert.ok(two.take(asRow(0), 3));
});

const ROWS = [0, 1];
const LIMIT = 4;

/** What a worker does. */
const step = fc.record({
  worker: fc.nat(2),
  what: fc.constantFrom("take up to the limit", "take", "give back", "die"),
  row: fc.constantFrom(...ROWS),
}, { noNullPrototype: true });

Deno.test("after any interleaving the counts are what the workers hold, and zero when they hold nothing", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
    const board = new Scoreboard();
    const workers = [0, 1, 2].map(() => ({ ledger: new Ledger(new Scoreboard(board.buffer)), has: [0, 0] }));
    const sum = (row: number): number => workers.reduce((all, { has }) => all + (has[row] ?? 0), 0);
    for (const { worker: number, what, row } of steps) {
      const worker = workers[number];
      assert.ok(worker !== undefined);
      const { ledger, has } = worker;
      const held = has[row] ?? 0;
      if (what === "die") {
        const lost = new Ledger(board, ledger.buffer).settle();
        assert.deepEqual(ROWS.map((row) => lost.get(asRow(row)) ?? 0), has);
        workers[number] = { ledger: new Ledger(new Scoreboard(board.buffer)), has: [0, 0] };
      } else if (what === "give back") {
        if (held === 0) continue;
        ledger.giveBack(asRow(row));
        has[row] = held - 1;
      } else {
        const mayTake = what === "take" || sum(row) < LIMIT;
        assert.equal(ledger.take(asRow(row), what === "take" ? 0 : LIMIT), mayTake);
        if (mayTake) has[row] = held + 1;
      }
      for (const at of ROWS) assert.equal(board.count(asRow(at)), sum(at));
    }
    for (const { ledger, has } of workers) {
      assert.deepEqual(ROWS.map((row) => ledger.held(asRow(row))), has);
      for (const row of ROWS) for (let held = has[row] ?? 0; held > 0; held--) ledger.giveBack(asRow(row));
    }
    assert.deepEqual(ROWS.map((row) => board.count(asRow(row))), [0, 0]);
  }));
});
