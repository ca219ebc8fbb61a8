import assert from "node:assert/strict";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import type { Order, Outcome } from "./admitting_worker.ts";

const SHAPE = { workers: 3, listeners: 2, pools: 1, backends: 2 };
const ROUNDS = 20_000;
const LIMIT = 30_001;

function run(board: Scoreboard, worker: number): Promise<Outcome> {
  const thread = new Worker(import.meta.resolve("./admitting_worker.ts"), { type: "module" });
  thread.postMessage(
    { buffer: board.buffer, shape: SHAPE, worker, limit: LIMIT, rounds: ROUNDS } satisfies Order,
  );
  return new Promise((resolve) => {
    thread.onmessage = ({ data }): void => {
      thread.terminate();
      resolve(data);
    };
  });
}

Deno.test("limits are exact, counts are whole and turns are unique over three real workers at once", async () => {
  const board = new Scoreboard(SHAPE);
  const outcomes = await Promise.all([run(board, 0), run(board, 1), run(board, 2)]);

  assert.equal(outcomes.reduce((sum, it) => sum + it.kept, 0), LIMIT);
  assert.equal(board.admitted(0), LIMIT);
  // One worker may find both places taken all the time: those who hold them can be off the processor.
  const most = Math.max(...outcomes.map((it) => it.most));
  assert.ok(most >= 1 && most <= 2, `${most} sessions at once`);
  assert.equal(board.admitted(1), 0);
  assert.equal(board.active(0), 0);
  const turns = new Set(outcomes.flatMap((it) => [...it.turns]));
  assert.equal(turns.size, SHAPE.workers * ROUNDS);
  assert.equal(Math.max(...outcomes.map((it) => it.turns.at(-1) ?? 0)), SHAPE.workers * ROUNDS - 1);

  for (let worker = 0; worker < SHAPE.workers; worker++) {
    const before = board.admitted(0);
    board.forgetWorker(worker);
    assert.equal(before - board.admitted(0), outcomes[worker]?.kept);
  }
  assert.equal(board.admitted(0), 0);
});
