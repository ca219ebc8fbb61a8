import assert from "node:assert/strict";
import fc from "fast-check";
import { Scoreboard, type ScoreboardShape } from "../../lib/pool/scoreboard.ts";

const SHAPE: ScoreboardShape = { workers: 3, listeners: 2, pools: 2, backends: 4 };

/** The same memory, as the control plane and a worker have it. */
function twoViews(): [Scoreboard, Scoreboard] {
  const one = new Scoreboard(SHAPE);
  return [one, new Scoreboard(SHAPE, one.buffer)];
}

function assertAllZero(board: Scoreboard): void {
  for (let row = 0; row < SHAPE.listeners; row++) assert.equal(board.admitted(row), 0, `listener ${row}`);
  for (let row = 0; row < SHAPE.backends; row++) assert.equal(board.active(row), 0, `backend ${row}`);
}

Deno.test("a new scoreboard is all zero", () => {
  const board = new Scoreboard(SHAPE);
  assertAllZero(board);
  assert.deepEqual([board.takeTurn(0), board.takeTurn(1)], [0, 0]);
});

Deno.test("turns count up for each pool by itself, over all who share the memory", () => {
  const [one, two] = twoViews();
  assert.deepEqual([one.takeTurn(0), two.takeTurn(0), one.takeTurn(0), two.takeTurn(0)], [0, 1, 2, 3]);
  assert.deepEqual([two.takeTurn(1), one.takeTurn(1)], [0, 1]);
});

Deno.test("turns wrap around at 2^32 and are never negative", () => {
  const board = new Scoreboard(SHAPE);
  new Int32Array(board.buffer).fill(2 ** 31 - 1);
  assert.deepEqual([board.takeTurn(0), board.takeTurn(0)], [2 ** 31 - 1, 2 ** 31]);
  new Int32Array(board.buffer).fill(-1);
  assert.deepEqual([board.takeTurn(0), board.takeTurn(0), board.takeTurn(0)], [2 ** 32 - 1, 0, 1]);
});

Deno.test("sessions are admitted up to the limit, over all who share the memory", () => {
  const [one, two] = twoViews();
  assert.deepEqual([one.admit(0, 0, 3), two.admit(0, 1, 3), one.admit(0, 0, 3)], [true, true, true]);
  assert.deepEqual([one.admit(0, 0, 3), two.admit(0, 1, 3)], [false, false]);
  assert.deepEqual([one.admitted(0), two.admitted(0)], [3, 3]);
  two.dismiss(0, 1);
  assert.equal(one.admitted(0), 2);
  assert.equal(one.admit(0, 2, 3), true);
  assert.equal(one.admit(0, 2, 3), false);
});

Deno.test("the limit of one listener is not that of another", () => {
  const board = new Scoreboard(SHAPE);
  assert.ok(board.admit(0, 0, 1));
  assert.ok(board.admit(1, 0, 1));
  assert.ok(!board.admit(0, 0, 1));
  board.dismiss(1, 0);
  assert.ok(!board.admit(0, 0, 1));
  assert.ok(board.admit(1, 0, 1));
});

Deno.test("a limit of 0 is none", () => {
  const board = new Scoreboard(SHAPE);
  for (let i = 0; i < 10_000; i++) assert.ok(board.admit(0, i % 3, 0));
  assert.equal(board.admitted(0), 10_000);
});

Deno.test("slots count for each backend by itself, over all who share the memory", () => {
  const [one, two] = twoViews();
  one.takeSlot(0, 0);
  two.takeSlot(0, 1);
  two.takeSlot(3, 1);
  assert.deepEqual([0, 1, 2, 3].map((row) => one.active(row)), [2, 0, 0, 1]);
  one.releaseSlot(0, 0);
  two.releaseSlot(3, 1);
  assert.deepEqual([0, 1, 2, 3].map((row) => two.active(row)), [1, 0, 0, 0]);
});

Deno.test("who waits is woken when somebody is dismissed", async () => {
  const [one, two] = twoViews();
  assert.ok(one.admit(0, 0, 1));
  const begunMs = performance.now();
  const woken = two.dismissed(0, 1, 60_000);
  one.dismiss(0, 0);
  await woken;
  assert.ok(performance.now() - begunMs < 30_000);
  assert.ok(two.admit(0, 1, 1));
});

Deno.test("who waits is not woken by another listener, and goes on when its time is up", async () => {
  const board = new Scoreboard(SHAPE);
  assert.ok(board.admit(0, 0, 1));
  assert.ok(board.admit(1, 0, 1));
  const begunMs = performance.now();
  const waiting = board.dismissed(0, 1, 50);
  board.dismiss(1, 0);
  // A wait alone does not keep the event loop running; the connections of a real worker do.
  const running = setInterval(() => {}, 1_000);
  await waiting;
  clearInterval(running);
  assert.ok(performance.now() - begunMs >= 45);
});

Deno.test("who waits when there is room already does not wait", async () => {
  const board = new Scoreboard(SHAPE);
  await board.dismissed(0, 1, 60_000);
});

Deno.test("each dismissal wakes one of those who wait, and in the end all of them", async () => {
  const board = new Scoreboard(SHAPE);
  const limit = 3;
  for (let i = 0; i < limit; i++) assert.ok(board.admit(0, 0, limit));
  let admitted = 0;
  const wait = async (worker: number): Promise<void> => {
    // deno-lint-ignore no-await-in-loop -- to wait and to try again is what a worker does
    while (!board.admit(0, worker, limit)) await board.dismissed(0, limit, 60_000);
    admitted++;
  };
  const waiting = [wait(1), wait(2), wait(1)];
  assert.equal(admitted, 0);
  for (let i = 0; i < limit; i++) board.dismiss(0, 0);
  await Promise.all(waiting);
  assert.equal(board.admitted(0), limit);
});

Deno.test("a worker that died gives back exactly what it held, and wakes who waits for it", async () => {
  const board = new Scoreboard(SHAPE);
  for (const worker of [0, 1, 1, 2]) assert.ok(board.admit(0, worker, 4));
  assert.ok(board.admit(1, 1, 0));
  for (const [backend, worker] of [[0, 0], [0, 1], [3, 1], [3, 1], [2, 2]] as const) {
    board.takeSlot(backend, worker);
  }
  board.releaseSlot(3, 1);

  const woken = board.dismissed(0, 4, 60_000);
  board.forgetWorker(1);
  await woken;
  assert.deepEqual([board.admitted(0), board.admitted(1)], [2, 0]);
  assert.deepEqual([0, 1, 2, 3].map((row) => board.active(row)), [1, 0, 1, 0]);

  board.forgetWorker(1);
  assert.deepEqual([board.admitted(0), board.admitted(1)], [2, 0]);
  board.forgetWorker(0);
  board.forgetWorker(2);
  assertAllZero(board);
});

/** What a worker does on the scoreboard. */
const step = fc.record({
  worker: fc.nat(SHAPE.workers - 1),
  what: fc.constantFrom("admit", "dismiss", "take", "release", "die"),
  row: fc.nat(Math.min(SHAPE.listeners, SHAPE.backends) - 1),
}, { noNullPrototype: true });

Deno.test("after any interleaving the counts are what the workers hold, and zero when they hold nothing", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
    const board = new Scoreboard(SHAPE);
    const views = Array.from({ length: SHAPE.workers }, () => new Scoreboard(SHAPE, board.buffer));
    const sessions = views.map(() => [0, 0]);
    const slots = views.map(() => [0, 0]);
    const sum = (held: number[][], row: number): number =>
      held.reduce((all, own) => all + (own[row] ?? 0), 0);
    const change = (held: number[][], worker: number, row: number, by: number): boolean => {
      const own = held[worker] ?? [];
      if ((own[row] ?? 0) + by < 0) return false;
      own[row] = (own[row] ?? 0) + by;
      return true;
    };
    const dismiss = (worker: number, row: number): boolean => {
      if (!change(sessions, worker, row, -1)) return false;
      views[worker]?.dismiss(row, worker);
      return true;
    };
    const release = (worker: number, row: number): boolean => {
      if (!change(slots, worker, row, -1)) return false;
      views[worker]?.releaseSlot(row, worker);
      return true;
    };
    for (const { worker, what, row } of steps) {
      if (what === "admit") {
        const isFree = sum(sessions, row) < 4;
        assert.equal(views[worker]?.admit(row, worker, 4), isFree);
        if (isFree) change(sessions, worker, row, 1);
      } else if (what === "dismiss") {
        dismiss(worker, row);
      } else if (what === "take") {
        views[worker]?.takeSlot(row, worker);
        change(slots, worker, row, 1);
      } else if (what === "release") {
        release(worker, row);
      } else {
        board.forgetWorker(worker);
        sessions[worker] = [0, 0];
        slots[worker] = [0, 0];
      }
      for (const at of [0, 1]) {
        assert.equal(board.admitted(at), sum(sessions, at));
        assert.equal(board.active(at), sum(slots, at));
      }
    }
    for (const worker of views.keys()) {
      for (const row of [0, 1]) while (dismiss(worker, row) || release(worker, row));
    }
    assertAllZero(board);
  }));
});
