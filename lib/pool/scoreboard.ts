/**
 * The scoreboard: live facts about listeners, pools and backends in memory that all threads share.
 *
 * The control plane makes it, every worker attaches to it, and no message is needed to learn or to change a fact.
 * A listener, a pool and a backend have a row each, which they keep for as long as they are known, through reloads too.
 * A row's first cell is a count that only a {@linkcode Ledger} changes: sessions admitted at a listener, active at a
 * backend, queued at a pool.
 */

import { type Woken, woken as wokenByOthers } from "../core/woken.ts";
import type { BackendRow, FilesRow, ListenerRow, PoolRow, QueueRow, Row } from "./row.ts";

/** A row is a cache line (16 × 4 bytes), so that threads that use different rows do not slow each other. */
const ROW_CELLS = 16;

/** More than any configuration needs. Memory that was never touched costs nothing. */
export const MAX_ROWS = 65_536;

/** Every row. */
const COUNT = 0;

/** The row of all sessions. */
const LIMIT = 1;

/** Rows of pools. */
const TURN = 1;
const VERSION = 2;
const WAKES = 3;
const TICKET = 4;

/** Rows of backends. */
const FAILURES = 1;
const IS_DOWN = 2;
const IS_EJECTED = 3;
const OPERATOR = 4;
const WEIGHT = 5;
const RAMP_PERCENT = 6;
const MAX_CONNECTIONS = 7;
const STATE_CHANGES = 8;

/** Rows of listeners: what byte_rate.ts needs, cells of 64 bits. */
const RATES = 8;
const RATE_CELLS = 3;

/** What the operator wants of a backend. */
export const OPERATOR_STATES = ["enabled", "draining", "disabled"] as const;
export type OperatorState = typeof OPERATOR_STATES[number];

/** What decides whether and how much a backend may be picked. Three facts, kept apart: health, operator, membership. */
export interface BackendFacts {
  /** What health checks found last; true without any. */
  readonly isUp: boolean;
  /** Whether it failed its sessions and is left out for a while. */
  readonly isEjected: boolean;
  readonly operator: OperatorState;
  /** 0 takes no new sessions. */
  readonly weight: number;
  /** How much of the weight counts, 1 to 100; less than 100 during a slow start. */
  readonly rampPercent: number;
  /** 0 is no limit. */
  readonly maxConnections: number;
}

export class Scoreboard {
  readonly buffer: SharedArrayBuffer;
  /** Told of changes that are told through this object; each thread has its own. */
  onChanged: ((pool: PoolRow) => void) | undefined;
  readonly #cells: Int32Array<SharedArrayBuffer>;

  readonly #woken: Woken;
  readonly #ring: () => void;

  /**
   * Attaches to the memory of a scoreboard; with no memory given, makes a new one that is all zero.
   *
   * @param woken How this thread waits for others.
   * @param ring Called when others that wait have been woken: they may be asleep where they do not notice.
   */
  constructor(buffer?: SharedArrayBuffer, woken: Woken = wokenByOthers, ring: () => void = () => {}) {
    this.#woken = woken;
    this.#ring = ring;
    const bytes = MAX_ROWS * ROW_CELLS * Int32Array.BYTES_PER_ELEMENT;
    this.buffer = buffer ?? new SharedArrayBuffer(bytes);
    this.#cells = new Int32Array(this.buffer);
  }

  /** The count of a row, over all workers. A worker that waits for the next connection has one admitted. */
  count(row: Row): number {
    return Atomics.load(this.#cells, row * ROW_CELLS + COUNT);
  }

  /** Adds 1 to a count unless it has reached `limit`; 0 is no limit. Only a ledger may call it. */
  raise(row: Row, limit: number): boolean {
    const cell = row * ROW_CELLS + COUNT;
    if (limit === 0) {
      Atomics.add(this.#cells, cell, 1);
      return true;
    }
    for (;;) {
      const count = Atomics.load(this.#cells, cell);
      if (count >= limit) return false;
      if (Atomics.compareExchange(this.#cells, cell, count, count + 1) === count) return true;
    }
  }

  /** Takes away from a count and gives what it was before. Only a ledger may call it. */
  lower(row: Row, amount: number): number {
    return Atomics.sub(this.#cells, row * ROW_CELLS + COUNT, amount);
  }

  /** How far a count may be raised, for a row whose limit changes while workers use it; 0 is no limit. */
  limit(row: FilesRow): number {
    return Atomics.load(this.#cells, row * ROW_CELLS + LIMIT);
  }

  /** Sets it, and wakes all who wait for the count to be lowered. The control plane alone does. */
  setLimit(row: FilesRow, limit: number): void {
    Atomics.store(this.#cells, row * ROW_CELLS + LIMIT, limit);
    this.#notify(row * ROW_CELLS + COUNT);
  }

  /** Wakes as many of those who wait for a count to be lowered as it was lowered by. */
  tellLowered(row: Row, amount = 1): void {
    this.#notify(row * ROW_CELLS + COUNT, amount);
  }

  /** Resolves when a count that was at its limit may have been lowered, or after `timeoutMs`. */
  lowered(row: Row, limit: number, timeoutMs: number): Promise<void> {
    return this.#woken(this.#cells, row * ROW_CELLS + COUNT, limit, timeoutMs);
  }

  /** Takes the next turn of a pool: 0, 1, 2 and so on over all workers, wrapping around at 2^32. */
  takeTurn(pool: PoolRow): number {
    return Atomics.add(this.#cells, pool * ROW_CELLS + TURN, 1) >>> 0;
  }

  /** Moves whenever a fact about a backend of the pool has changed. */
  version(pool: PoolRow): number {
    return Atomics.load(this.#cells, pool * ROW_CELLS + VERSION);
  }

  /** The next place in the order of the queue of a pool: 1, 2, 3 and so on, wrapping around as 32-bit numbers do, never 0. */
  takeTicket(pool: PoolRow): number {
    const ticket = (Atomics.add(this.#cells, pool * ROW_CELLS + TICKET, 1) + 1) | 0;
    return ticket === 0 ? this.takeTicket(pool) : ticket;
  }

  /** Wakes every worker that has sessions queued at the pool. */
  wake(pool: PoolRow): void {
    Atomics.add(this.#cells, pool * ROW_CELLS + WAKES, 1);
    this.#notify(pool * ROW_CELLS + WAKES);
  }

  /** How often the pool was woken; {@linkcode woken} waits for the next time. */
  wakes(pool: PoolRow): number {
    return Atomics.load(this.#cells, pool * ROW_CELLS + WAKES);
  }

  /** Resolves as soon as the pool has been woken more often than `wakes`, or after `timeoutMs`. */
  woken(pool: PoolRow, wakes: number, timeoutMs: number): Promise<void> {
    return this.#woken(this.#cells, pool * ROW_CELLS + WAKES, wakes, timeoutMs);
  }

  facts(backend: BackendRow): BackendFacts {
    const cells = this.#cells;
    const row = backend * ROW_CELLS;
    return {
      isUp: Atomics.load(cells, row + IS_DOWN) === 0,
      isEjected: Atomics.load(cells, row + IS_EJECTED) === 1,
      operator: OPERATOR_STATES[Atomics.load(cells, row + OPERATOR)] ?? "enabled",
      weight: Atomics.load(cells, row + WEIGHT),
      rampPercent: Atomics.load(cells, row + RAMP_PERCENT),
      maxConnections: Atomics.load(cells, row + MAX_CONNECTIONS),
    };
  }

  /** Sets some facts about a backend, and tells it to all who pick from its pool. The control plane alone does. */
  setFacts(pool: PoolRow, backend: BackendRow, facts: Partial<BackendFacts>): void {
    this.setManyFacts(pool, [[backend, facts]]);
  }

  /** As {@linkcode setFacts}, for several backends of a pool, which is told once. */
  setManyFacts(pool: PoolRow, changes: Iterable<readonly [BackendRow, Partial<BackendFacts>]>): void {
    for (const [backend, facts] of changes) this.#set(backend, facts);
    // After the facts: who sees another version sees them too.
    Atomics.add(this.#cells, pool * ROW_CELLS + VERSION, 1);
    this.wake(pool);
    this.onChanged?.(pool);
  }

  /** How often health, ejection or the operator's wish have changed. */
  stateChanges(backend: BackendRow): number {
    return Atomics.load(this.#cells, backend * ROW_CELLS + STATE_CHANGES);
  }

  /** The limit of a backend alone; asked for with every pick. */
  maxConnections(backend: BackendRow): number {
    return Atomics.load(this.#cells, backend * ROW_CELLS + MAX_CONNECTIONS);
  }

  /** Notes a failure of a backend and gives the number of failures in a row. */
  addFailure(backend: BackendRow): number {
    return Atomics.add(this.#cells, backend * ROW_CELLS + FAILURES, 1) + 1;
  }

  /** Notes that a backend works. It is written only when it is news: the row is shared by all threads. */
  clearFailures(backend: BackendRow): void {
    const cell = backend * ROW_CELLS + FAILURES;
    if (Atomics.load(this.#cells, cell) !== 0) Atomics.store(this.#cells, cell, 0);
  }

  /** The cells of the buckets of a listener, for {@linkcode SharedByteBuckets}. */
  rateCells(listener: ListenerRow): BigInt64Array<SharedArrayBuffer> {
    const cell = listener * ROW_CELLS + RATES;
    return new BigInt64Array(this.buffer, cell * Int32Array.BYTES_PER_ELEMENT, RATE_CELLS);
  }

  /** Makes a row as if new, for something else. */
  clear(row: Row): void {
    this.#cells.fill(0, row * ROW_CELLS, (row + 1) * ROW_CELLS);
  }

  /** A cell of the table of a queue, which stands in the rows behind its first: {@linkcode rowsFor} says how many. */
  tableCell(queue: QueueRow, index: number): number {
    return Atomics.load(this.#cells, (queue + 1) * ROW_CELLS + index);
  }

  setTableCell(queue: QueueRow, index: number, value: number): void {
    Atomics.store(this.#cells, (queue + 1) * ROW_CELLS + index, value);
  }

  #notify(cell: number, amount?: number): void {
    if (Atomics.notify(this.#cells, cell, amount) > 0) this.#ring();
  }

  #set(backend: BackendRow, facts: Partial<BackendFacts>): void {
    const set = (cell: number, value: number | undefined): void => {
      if (value !== undefined) Atomics.store(this.#cells, backend * ROW_CELLS + cell, value);
    };
    const setState = (cell: number, value: number): void => {
      const before = Atomics.exchange(this.#cells, backend * ROW_CELLS + cell, value);
      if (before !== value) Atomics.add(this.#cells, backend * ROW_CELLS + STATE_CHANGES, 1);
    };
    if (facts.isUp !== undefined) setState(IS_DOWN, facts.isUp ? 0 : 1);
    if (facts.isEjected !== undefined) setState(IS_EJECTED, facts.isEjected ? 1 : 0);
    if (facts.operator !== undefined) setState(OPERATOR, OPERATOR_STATES.indexOf(facts.operator));
    set(WEIGHT, facts.weight);
    set(RAMP_PERCENT, facts.rampPercent);
    set(MAX_CONNECTIONS, facts.maxConnections);
  }
}

/** What is known about a backend before anything has happened to it. */
export function asNew(isUp: boolean): Pick<BackendFacts, "isUp" | "isEjected" | "rampPercent"> {
  return { isUp, isEjected: false, rampPercent: 100 };
}

/** How many rows a table of so many cells takes. */
export function rowsFor(cells: number): number {
  return Math.ceil(cells / ROW_CELLS);
}
