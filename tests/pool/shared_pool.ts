/** One pool as two workers have it, in one thread: what each of them does, the other sees at once. */

import assert from "node:assert/strict";
import type { Backend } from "../../lib/pool/backend.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { Pool, type PoolOptions, type PoolTuning } from "../../lib/pool/pool.ts";
import type { Queue } from "../../lib/pool/queue.ts";
import type { PoolRow, QueueRow } from "../../lib/pool/row.ts";
import { type BackendFacts, Scoreboard } from "../../lib/pool/scoreboard.ts";
import { asRow } from "../support/rows.ts";

/** Rows of the scoreboard. That of the queue is followed by its table. */
export const POOL: PoolRow = asRow(0);
export const QUEUE: QueueRow = asRow(1);
export const FIRST_BACKEND = 100;

/** A backend that may be picked. */
export const HEALTHY: BackendFacts = {
  isUp: true,
  isEjected: false,
  operator: "enabled",
  weight: 1,
  rampPercent: 100,
  maxConnections: 0,
};

/** Facts of a backend with a single slot. */
export const SINGLE: Partial<BackendFacts> = { maxConnections: 1 };

export interface MemberOptions extends Partial<BackendFacts> {
  readonly isBackup?: boolean;
}

export interface SharedPool {
  readonly board: Scoreboard;
  readonly backends: readonly Backend[];
  readonly one: Pool;
  readonly two: Pool;
  readonly ledgers: readonly [Ledger, Ledger];
  /** The names of backends that were reported, by either worker. */
  readonly reported: string[];
  backend(name: string): Backend;
  /** Changes facts about a backend, as the control plane does. */
  change(name: string, facts: Partial<BackendFacts>): void;
  /** The count of each backend. */
  active(): number[];
}

/** @param members Facts by name; where they say nothing the backend may be picked. */
export function sharePool(
  members: Readonly<Record<string, MemberOptions>>,
  { dialTimeoutMs = 5_000, retries = 2, whenAllDown = "refuse", consecutiveFailures = 0, ...options }:
    & Partial<PoolOptions>
    & Partial<PoolTuning> = {},
  random: () => number = Math.random,
): SharedPool {
  const board = new Scoreboard();
  const backends = Object.entries(members).map(([name, { isBackup = false, ...facts }], i): Backend => {
    const row = asRow<"backend">(FIRST_BACKEND + i);
    board.setFacts(POOL, row, { ...HEALTHY, ...facts });
    return { row, name, address: { transport: "tcp", host: "127.0.0.1", port: 8001 + i }, isBackup };
  });
  const tuning = { dialTimeoutMs, retries, sources: [], whenAllDown, consecutiveFailures };
  const reported: string[] = [];
  const ledgers = [new Ledger(board), new Ledger(board)] as const;
  const pool = (worker: 0 | 1): Pool =>
    new Pool({ ...OPTIONS, tuning, backends, ...options }, {
      scoreboard: new Scoreboard(board.buffer),
      ledger: ledgers[worker],
      worker,
      onFailing: ({ name }) => reported.push(name),
      random,
    });
  const backend = (name: string): Backend => {
    const found = backends.find((it) => it.name === name);
    assert.ok(found !== undefined, name);
    return found;
  };
  return {
    board,
    backends,
    one: pool(0),
    two: pool(1),
    ledgers,
    reported,
    backend,
    change: (name, facts) => {
      board.setFacts(POOL, backend(name).row, facts);
    },
    active: () => backends.map(({ row }) => board.count(row)),
  };
}

/** A pool with a queue, all of whose slots are taken, by the first worker. */
export function fullPool(
  members: Readonly<Record<string, MemberOptions>>,
  { size = 100, timeoutMs = 0 }: { readonly size?: number; readonly timeoutMs?: number } = {},
): SharedPool {
  const shared = sharePool(members, { queue: { row: QUEUE, size, timeoutMs } });
  while (shared.one.take([], 0) !== undefined);
  return shared;
}

export function queueOf(pool: Pool): Queue {
  assert.ok(pool.queue !== undefined);
  return pool.queue;
}

/** The names of what a pool gives to sessions that come for the first time. */
export function takeNames(pool: Pool, times: number): (string | undefined)[] {
  return Array.from({ length: times }, () => pool.take([], 0)?.name);
}

const OPTIONS: Omit<PoolOptions, "backends" | "tuning"> = {
  row: POOL,
  name: "web",
  algorithm: "round_robin",
  hashKey: "source_ip",
  queue: undefined,
};
