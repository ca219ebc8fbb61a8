import assert from "node:assert/strict";
import { sharedLimiter } from "../../lib/dataplane/limiter.ts";
import type { Limiter } from "../../lib/engine/contract.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import type { FilesRow, ListenerRow } from "../../lib/pool/row.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { within } from "../pool/within.ts";
import { asRow } from "../support/rows.ts";

const ROW: ListenerRow = asRow(1);
const FILES: FilesRow = asRow(2);

interface Limited {
  readonly board: Scoreboard;
  readonly one: Limiter;
  readonly two: Limiter;
  /** How often either was kept out by open files. */
  filesWanted: number;
  /** How often a wake-up has found a waiter. */
  woken: number;
  /** The counts of the listener and of all sessions. */
  counts(): number[];
}

/** The limiter of one listener in two workers. */
function limit(maxConnections: number, maxFiles = 0): Limited {
  const board = new Scoreboard(undefined, undefined, () => limited.woken++);
  board.setLimit(FILES, maxFiles);
  const limiter = (): Limiter =>
    sharedLimiter({
      scoreboard: board,
      ledger: new Ledger(board),
      row: ROW,
      maxConnections,
      filesRow: FILES,
      onFilesWanted: () => limited.filesWanted++,
    });
  const limited: Limited = {
    board,
    one: limiter(),
    two: limiter(),
    filesWanted: 0,
    woken: 0,
    counts: () => [board.count(ROW), board.count(FILES)],
  };
  return limited;
}

/** Waits for a count to be lowered. Only a wake-up ends it, not the timeout. */
async function lowered(board: Scoreboard, row: ListenerRow | FilesRow): Promise<void> {
  await within(board.lowered(row, board.count(row), 600_000), "a wake-up");
}

Deno.test("as many come in as the limit of the listener allows, over all workers", () => {
  const { one, two, counts } = limit(2);
  assert.deepEqual([one.enter(), two.enter(), one.enter(), two.enter()], [true, true, false, false]);
  assert.deepEqual(counts(), [2, 2]);
  two.leave();
  assert.deepEqual([one.enter(), two.enter()], [true, false]);
});

Deno.test("without limits every connection comes in, and is counted", () => {
  const { one, two, counts } = limit(0);
  for (let i = 0; i < 100; i++) assert.ok(one.enter() && two.enter());
  assert.deepEqual(counts(), [200, 200]);
});

Deno.test("a connection that open files keep out takes nothing, and it is told", () => {
  const limited = limit(10, 1);
  const { one, two, counts } = limited;
  assert.deepEqual([one.enter(), two.enter()], [true, false]);
  assert.deepEqual(counts(), [1, 1]);
  assert.equal(limited.filesWanted, 1);
});

Deno.test("a connection that the limit of the listener keeps out does not ask for open files", () => {
  const limited = limit(1, 1);
  assert.deepEqual([limited.one.enter(), limited.two.enter()], [true, false]);
  assert.equal(limited.filesWanted, 0);
});

Deno.test("a session that leaves a full listener wakes one accept loop that waits for it", async () => {
  const { board, one } = limit(1);
  assert.ok(one.enter());
  const waiting = lowered(board, ROW);
  one.leave();
  await waiting;
});

Deno.test("a session that leaves wakes those that wait for open files only when these were all in use", async () => {
  const limited = limit(0, 2);
  const { board, one, two } = limited;
  assert.ok(one.enter() && two.enter());
  const full = lowered(board, FILES);
  one.leave();
  await full;
  assert.equal(limited.woken, 1);

  const room = lowered(board, FILES);
  two.leave();
  assert.equal(limited.woken, 1);
  board.tellLowered(FILES);
  await room;
});

Deno.test("an accept loop waits for the limit that keeps it out", async () => {
  const waits: { readonly cell: number; readonly value: number }[] = [];
  const board = new Scoreboard(undefined, (_, cell, value) => {
    waits.push({ cell, value });
    return Promise.resolve();
  });
  const limiter = sharedLimiter({
    ...{ scoreboard: board, ledger: new Ledger(board), row: ROW, filesRow: FILES },
    ...{ maxConnections: 1, onFilesWanted: () => {} },
  });
  board.setLimit(FILES, 5);
  assert.ok(limiter.enter());
  await limiter.freed();
  board.setLimit(FILES, 1);
  await limiter.freed();
  await board.lowered(ROW, 1, 0);
  await board.lowered(FILES, 1, 0);
  assert.deepEqual(waits.slice(0, 2), waits.slice(2));
});
