/**
 * The queue of a pool: sessions that wait for a free backend, in the order of their arrival over all workers.
 *
 * Each worker keeps its own waiting sessions; what is shared is a number a session (its ticket), how many there are, and
 * for each worker the ticket of its first. A worker serves its first only when no other worker's is earlier, and wakes
 * the others after that. So the order is kept, and no worker ever waits for another one's answer.
 */

import type { Backend } from "./backend.ts";
import type { Ledger } from "./ledger.ts";
import type { PoolRow, QueueRow } from "./row.ts";
import type { Scoreboard } from "./scoreboard.ts";

/** Numbers of workers are below this; as many may live at once, with those that drain. */
export const MAX_WORKERS = 1024;

export interface QueueOptions {
  /** Its row on the scoreboard, followed by those of the table of first tickets: {@linkcode QUEUE_CELLS} in all. */
  readonly row: QueueRow;
  /** Sessions that may wait at once, over all workers. */
  readonly size: number;
  /** 0 is no limit. */
  readonly timeoutMs: number;
}

/** The row of the count of half-closed sessions, then a cell a worker. */
export const QUEUE_CELLS = 16 + MAX_WORKERS;

/** Who picks for those who wait. */
export interface Picks {
  /** Picks a backend and takes a slot at it; undefined when none is free that was not tried. */
  take(tried: readonly Backend[], key: number): Backend | undefined;
  /** Whether there is one that could be picked if it were free. */
  hasOther(tried: readonly Backend[]): boolean;
}

/** How waiting ended: with a slot taken at a backend, or why not; undefined when the session has left. */
export type Waited = Backend | "queue_full" | "queue_timeout" | "no_backend" | undefined;

/** Fallback poll, in case a wake-up is missed. */
const LOOK_AGAIN_MS = 1_000;

/** A session that waits. */
export class Waiter {
  readonly ticket: number;
  readonly tried: readonly Backend[];
  readonly key: number;
  readonly deadlineMs: number;
  readonly #done = Promise.withResolvers<Waited>();
  /** Whether it is one of those that keep their turn but no longer count; see {@linkcode Queue.halfClosed}. */
  isHalfClosed = false;

  constructor(ticket: number, tried: readonly Backend[], key: number, deadlineMs: number) {
    this.ticket = ticket;
    this.tried = tried;
    this.key = key;
    this.deadlineMs = deadlineMs;
  }

  get waited(): Promise<Waited> {
    return this.#done.promise;
  }

  end(how: Waited): void {
    this.#done.resolve(how);
  }
}

export class Queue {
  /** The row of the pool. */
  readonly #row: PoolRow;
  readonly #picks: Picks;
  readonly #options: QueueOptions;
  readonly #scoreboard: Scoreboard;
  readonly #ledger: Ledger;
  readonly #worker: number;
  /** In the order of their tickets. */
  readonly #waiting = new Set<Waiter>();
  /** Retries after a failed dial are exempt from ticket order. */
  readonly #retrying = new Set<Waiter>();
  #isListening = false;

  constructor(
    poolRow: PoolRow,
    options: QueueOptions,
    picks: Picks,
    shared: { readonly scoreboard: Scoreboard; readonly ledger: Ledger; readonly worker: number },
  ) {
    this.#row = poolRow;
    this.#picks = picks;
    this.#options = options;
    this.#scoreboard = shared.scoreboard;
    this.#ledger = shared.ledger;
    this.#worker = shared.worker;
  }

  /** Whether nobody waits, in any worker: otherwise a session that comes has to get in line. */
  get isEmpty(): boolean {
    return this.#scoreboard.count(this.#row) === 0;
  }

  /**
   * Gets in line. The slot that `waited` may come with is taken; the caller releases it.
   *
   * @return Undefined when the queue is full.
   */
  join(tried: readonly Backend[], key: number, nowMs: number): Waiter | undefined {
    const { row, size, timeoutMs } = this.#options;
    if (!this.#ledger.take(this.#row, size + this.#scoreboard.count(row))) return undefined;
    const deadlineMs = timeoutMs === 0 ? Infinity : nowMs + timeoutMs;
    const waiter = new Waiter(this.#scoreboard.takeTicket(this.#row), tried, key, deadlineMs);
    (tried.length > 0 ? this.#retrying : this.#waiting).add(waiter);
    this.#publishFirst();
    if (!this.#isListening) void this.#listen();
    // A slot that was freed before the session was in line woke nobody.
    this.#serve();
    return waiter;
  }

  /** Leaves the line; its place is free at once. */
  leave(waiter: Waiter): void {
    this.#remove(waiter, undefined);
  }

  /**
   * The client has ended its sending side: it may have gone, or it may wait for the answer. So it keeps its turn, but its
   * place is free for another one.
   */
  halfClosed(waiter: Waiter): void {
    if (!this.#has(waiter) || waiter.isHalfClosed) return;
    waiter.isHalfClosed = this.#ledger.take(this.#options.row, 0);
  }

  /** Serves whoever is first; call it when a slot was released, or the rules have changed. */
  serve(): void {
    if (this.isEmpty) return;
    this.#serve();
    // It may be another worker's turn.
    if (!this.isEmpty) this.#scoreboard.wake(this.#row);
  }

  /** Ends what has waited too long, and serves in case that a wake has got lost. */
  onTick(nowMs: number): void {
    if (this.#isDeserted) return;
    for (const waiter of [...this.#waiting, ...this.#retrying]) {
      if (nowMs >= waiter.deadlineMs) this.#remove(waiter, "queue_timeout");
    }
    this.#serve();
  }

  #has(waiter: Waiter): boolean {
    return this.#waiting.has(waiter) || this.#retrying.has(waiter);
  }

  get #isDeserted(): boolean {
    return this.#waiting.size === 0 && this.#retrying.size === 0;
  }

  /** Serves whenever the pool is woken, for as long as somebody waits here. */
  async #listen(): Promise<void> {
    this.#isListening = true;
    while (!this.#isDeserted) {
      const wakes = this.#scoreboard.wakes(this.#row);
      this.#serve();
      if (this.#isDeserted) break;
      // deno-lint-ignore no-await-in-loop -- one wake after the other
      await this.#scoreboard.woken(this.#row, wakes, LOOK_AGAIN_MS);
    }
    this.#isListening = false;
  }

  /** Gives free slots to those whose turn it is. */
  #serve(): void {
    let served = 0;
    for (const waiter of this.#retrying) if (this.#attempt(waiter)) served++;
    for (const waiter of this.#waiting) {
      if (!this.#isEarliest(waiter.ticket) || !this.#attempt(waiter)) break;
      served++;
    }
    if (served > 0 && !this.isEmpty) this.#scoreboard.wake(this.#row);
  }

  /** Whether the wait is over, with a slot or because there is nothing to wait for. */
  #attempt(waiter: Waiter): boolean {
    const backend = this.#picks.take(waiter.tried, waiter.key);
    if (backend === undefined && this.#picks.hasOther(waiter.tried)) return false;
    this.#remove(waiter, backend ?? "no_backend");
    return true;
  }

  #remove(waiter: Waiter, how: Waited): void {
    if (!this.#waiting.delete(waiter) && !this.#retrying.delete(waiter)) return;
    if (waiter.isHalfClosed) this.#ledger.giveBack(this.#options.row);
    this.#ledger.giveBack(this.#row);
    this.#publishFirst();
    waiter.end(how);
    // It was perhaps the first, and somebody else is now.
    if (typeof how !== "object" && !this.isEmpty) this.#scoreboard.wake(this.#row);
  }

  #publishFirst(): void {
    const [first] = this.#waiting;
    this.#scoreboard.setTableCell(this.#options.row, this.#worker, first?.ticket ?? 0);
  }

  #isEarliest(ticket: number): boolean {
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      const other = this.#scoreboard.tableCell(this.#options.row, worker);
      if (other !== 0 && ((other - ticket) | 0) < 0) return false;
    }
    return true;
  }
}
