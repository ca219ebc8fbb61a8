import { asRow } from "../support/rows.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type BackendFacts,
  MAX_ROWS,
  OPERATOR_STATES,
  rowsFor,
  Scoreboard,
} from "../../lib/pool/scoreboard.ts";
import { within } from "./within.ts";

/** The same memory, as the control plane and a worker have it. */
function twoViews(): [Scoreboard, Scoreboard] {
  const one = new Scoreboard();
  return [one, new Scoreboard(one.buffer)];
}

/** A scoreboard all of whose cells have the same value. */
function filledWith(value: number): Scoreboard {
  const board = new Scoreboard();
  new Int32Array(board.buffer).fill(value);
  return board;
}

/** Everything that is known about a row. */
function everything(board: Scoreboard, row: number): unknown {
  return [
    board.facts(asRow(row)),
    // A table begins in the row behind the one that it is known by.
    ...Array.from({ length: 16 }, (_, cell) => board.tableCell(asRow(row - 1), cell)),
  ];
}

const NEW: BackendFacts = {
  isUp: true,
  isEjected: false,
  operator: "enabled",
  weight: 0,
  rampPercent: 0,
  maxConnections: 0,
};

const anyFacts: fc.Arbitrary<BackendFacts> = fc.record({
  isUp: fc.boolean(),
  isEjected: fc.boolean(),
  operator: fc.constantFrom(...OPERATOR_STATES),
  weight: fc.nat(256),
  rampPercent: fc.integer({ min: 1, max: 100 }),
  maxConnections: fc.nat(2 ** 31 - 1),
}, { noNullPrototype: true });

Deno.test("a new scoreboard is all zero, to its last row", () => {
  const board = new Scoreboard();
  assert.ok(new Int32Array(board.buffer).every((cell) => cell === 0));
  for (const row of [0, 1, MAX_ROWS - 1]) {
    assert.equal(board.count(asRow(row)), 0);
    assert.equal(board.version(asRow(row)), 0);
    assert.equal(board.takeTurn(asRow(row)), 0);
  }
});

Deno.test("a backend that nothing was said about is up, and has no weight to be picked by", () => {
  assert.deepEqual(new Scoreboard().facts(asRow(7)), NEW);
});

Deno.test("turns count up for each pool by itself, over all who share the memory", () => {
  const [one, two] = twoViews();
  assert.deepEqual([
    one.takeTurn(asRow(0)),
    two.takeTurn(asRow(0)),
    one.takeTurn(asRow(0)),
    two.takeTurn(asRow(0)),
  ], [0, 1, 2, 3]);
  assert.deepEqual([two.takeTurn(asRow(1)), one.takeTurn(asRow(1))], [0, 1]);
});

Deno.test("turns wrap around at 2^32 and are never negative", () => {
  const half = filledWith(2 ** 31 - 1);
  assert.deepEqual([half.takeTurn(asRow(0)), half.takeTurn(asRow(0))], [2 ** 31 - 1, 2 ** 31]);
  const whole = filledWith(-1);
  assert.deepEqual([whole.takeTurn(asRow(0)), whole.takeTurn(asRow(0)), whole.takeTurn(asRow(0))], [
    2 ** 32 - 1,
    0,
    1,
  ]);
});

Deno.test("tickets count up for each pool by itself, over all who share the memory, from 1", () => {
  const [one, two] = twoViews();
  assert.deepEqual([one.takeTicket(asRow(0)), two.takeTicket(asRow(0)), one.takeTicket(asRow(0))], [1, 2, 3]);
  assert.deepEqual([two.takeTicket(asRow(1)), one.takeTicket(asRow(1))], [1, 2]);
});

Deno.test("tickets wrap around as 32-bit numbers do, and leave out 0", () => {
  const half = filledWith(2 ** 31 - 2);
  assert.deepEqual([half.takeTicket(asRow(0)), half.takeTicket(asRow(0))], [2 ** 31 - 1, -(2 ** 31)]);
  const whole = filledWith(-3);
  assert.deepEqual([whole.takeTicket(asRow(0)), whole.takeTicket(asRow(0)), whole.takeTicket(asRow(0))], [
    -2,
    -1,
    1,
  ]);
});

Deno.test("a version moves when it is told that something has changed, for that pool alone", () => {
  const [one, two] = twoViews();
  const before = one.version(asRow(0));
  two.setFacts(asRow(0), asRow(9), {});
  const after = one.version(asRow(0));
  assert.notEqual(after, before);
  two.takeTurn(asRow(0));
  two.wake(asRow(0));
  assert.equal(one.version(asRow(0)), after);
  two.setFacts(asRow(1), asRow(9), { weight: 3 });
  assert.equal(one.version(asRow(0)), after);
});

Deno.test("every fact comes back as it was set, and changes no other", () => {
  const cases: Partial<BackendFacts>[] = [
    ...[false, true].map((isUp) => ({ isUp })),
    ...[true, false].map((isEjected) => ({ isEjected })),
    ...OPERATOR_STATES.toReversed().map((operator) => ({ operator })),
    ...[1, 256, 0].map((weight) => ({ weight })),
    ...[1, 100].map((rampPercent) => ({ rampPercent })),
    ...[1, 2 ** 31 - 1, 0].map((maxConnections) => ({ maxConnections })),
  ];
  const [one, two] = twoViews();
  let expected = NEW;
  for (const facts of cases) {
    one.setFacts(asRow(0), asRow(5), facts);
    expected = { ...expected, ...facts };
    assert.deepEqual(two.facts(asRow(5)), expected, JSON.stringify(facts));
    assert.equal(two.maxConnections(asRow(5)), expected.maxConnections);
  }
});

Deno.test("all facts of a row are independent of each other, of its counts and of the rows beside it", () => {
  const row = fc.nat(MAX_ROWS - 4).map((it) => it + 2);
  const board = new Scoreboard();
  fc.assert(fc.property(row, anyFacts, anyFacts, anyFacts, (row, before, facts, after) => {
    board.setFacts(asRow(0), asRow(row - 1), before);
    board.setFacts(asRow(0), asRow(row + 1), after);
    board.raise(asRow(row), 0);
    board.addFailure(asRow(row));
    board.setFacts(asRow(0), asRow(row), facts);
    assert.deepEqual([row - 1, row, row + 1].map((it) => board.facts(asRow(it))), [before, facts, after]);
    assert.equal(board.count(asRow(row)), 1);
    assert.equal(board.addFailure(asRow(row)), 2);
    for (const used of [row - 1, row, row + 1]) board.clear(asRow(used));
  }));
});

Deno.test("failures in a row are counted for each backend, over all workers, until it answers", () => {
  const [one, two] = twoViews();
  assert.deepEqual([
    one.addFailure(asRow(3)),
    two.addFailure(asRow(3)),
    one.addFailure(asRow(4)),
    two.addFailure(asRow(3)),
  ], [
    1,
    2,
    1,
    3,
  ]);
  one.clearFailures(asRow(3));
  one.clearFailures(asRow(3));
  assert.deepEqual([two.addFailure(asRow(3)), two.addFailure(asRow(4))], [1, 2]);
});

Deno.test("a cleared row is as new, and those beside it are as they were", () => {
  const board = filledWith(7);
  const beside = [everything(board, 4), everything(board, 6)];
  board.clear(asRow(5));
  assert.deepEqual(everything(board, 5), everything(new Scoreboard(), 5));
  assert.deepEqual([everything(board, 4), everything(board, 6)], beside);
});

Deno.test("the compiler refuses a number that is no row, and a row of another kind", () => {
  const board = new Scoreboard();
  // @ts-expect-error: a number
  board.clear(5);
  // @ts-expect-error: a pool
  board.addFailure(asRow<"pool">(5));
});

Deno.test("a table takes as many rows as it needs, and keeps to them", () => {
  const cases = [[1, 1], [16, 1], [17, 2], [32, 2], [33, 3], [1040, 65]] as const;
  for (const [cells, rows] of cases) {
    assert.equal(rowsFor(cells), rows, `${cells} cells`);
    const [one, two] = twoViews();
    for (let cell = 0; cell < cells; cell++) one.setTableCell(asRow(10), cell, -cell - 1);
    for (let cell = 0; cell < cells; cell++) assert.equal(two.tableCell(asRow(10), cell), -cell - 1);
    for (const outside of [9, 10, 11 + rows]) {
      assert.deepEqual(everything(two, outside), everything(new Scoreboard(), outside));
    }
  }
});

Deno.test("a wake wakes all who wait for the pool", async () => {
  const [one, two] = twoViews();
  const waiting = [one, two, two].map((board) => board.woken(asRow(0), board.wakes(asRow(0)), 60_000));
  two.wake(asRow(0));
  await within(Promise.all(waiting), "all to be woken");
});

Deno.test("a change wakes who waits for the pool", async () => {
  const [one, two] = twoViews();
  const waiting = one.woken(asRow(0), one.wakes(asRow(0)), 60_000);
  two.setManyFacts(asRow(0), []);
  await within(waiting, "the wake");
});

Deno.test("who was woken before it began to wait does not wait", async () => {
  const [one, two] = twoViews();
  const wakes = one.wakes(asRow(0));
  two.wake(asRow(0));
  await within(one.woken(asRow(0), wakes, 60_000), "the wake");
});

Deno.test("who waits for a pool is not woken for another one, and goes on when its time is up", async () => {
  const board = new Scoreboard();
  const begunMs = performance.now();
  const waiting = board.woken(asRow(0), board.wakes(asRow(0)), 50);
  board.wake(asRow(1));
  await within(waiting, "the end of the wait");
  assert.ok(performance.now() - begunMs >= 45);
});
