/** Sessions that wait in line at a pool, as tests watch them. */

import type { PoolRow } from "../../lib/pool/row.ts";
import { asRow } from "../support/rows.ts";
import assert from "node:assert/strict";
import type { Backend } from "../../lib/pool/backend.ts";
import type { Pool } from "../../lib/pool/pool.ts";
import type { QueuedSession, QueueOutcome } from "../../lib/pool/queue.ts";
import type { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { POOL, QUEUE, queueOf } from "./shared_pool.ts";
import { within } from "./within.ts";

/** A row that nobody else uses. */
const FENCE: PoolRow = asRow(5_000);

export interface Waiting {
  readonly pool: Pool;
  readonly queued: QueuedSession;
  readonly tried: readonly Backend[];
  /** Undefined for as long as it waits. */
  outcome: { readonly how: QueueOutcome } | undefined;
}

/** Gets in line; undefined when the queue is full. */
export function tryToJoin(pool: Pool, tried: readonly Backend[] = [], nowMs = 0): Waiting | undefined {
  const queued = queueOf(pool).join(tried, 0, nowMs);
  if (queued === undefined) return undefined;
  const waiting: Waiting = { pool, queued, tried, outcome: undefined };
  void queued.outcome.then((how) => waiting.outcome = { how });
  return waiting;
}

export function join(pool: Pool, tried: readonly Backend[] = [], nowMs = 0): Waiting {
  const waiting = tryToJoin(pool, tried, nowMs);
  assert.ok(waiting !== undefined, "the queue is full");
  return waiting;
}

/** How waiting ended, a backend by its name. */
export async function ended({ queued }: Waiting): Promise<string | undefined> {
  const outcome = await within(queued.outcome, "the end of a wait");
  return typeof outcome === "object" ? outcome.name : outcome;
}

/** How each of them stands now: what it got, why not, or that it still waits. */
export async function outcomes(board: Scoreboard, line: readonly Waiting[]): Promise<string[]> {
  await quiet(board);
  return line.map(({ outcome }) => {
    if (outcome === undefined) return "waits";
    return typeof outcome.how === "object" ? outcome.how.name : outcome.how ?? "left";
  });
}

/** Waits until all who were woken have done what they do then, without waking anybody at the pool. */
export async function quiet(board: Scoreboard): Promise<void> {
  for (;;) {
    const wakes = board.wakes(POOL);
    // Wakes are delivered in the order in which they were sent; so all that were sent before are through after this one.
    const fence = board.woken(FENCE, board.wakes(FENCE), 60_000);
    board.wake(FENCE);
    // deno-lint-ignore no-await-in-loop -- who is woken may wake others
    await within(fence, "the threads' own wake");
    if (board.wakes(POOL) === wakes) return;
  }
}

/** That nobody waits, and nothing of those who did is left. */
export function assertNobodyWaits(board: Scoreboard): void {
  assert.equal(board.count(POOL), 0, "waiting");
  assert.equal(board.count(QUEUE), 0, "half-closed");
  for (const worker of [0, 1, 2]) assert.equal(board.tableCell(QUEUE, worker), 0, "first tickets");
}
