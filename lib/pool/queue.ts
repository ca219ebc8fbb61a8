/**
 * The queue of a pool: sessions that wait for a free backend, in order of arrival over all workers.
 *
 * Each worker keeps its own queued sessions. Shared are a ticket number for each session, the count of queued sessions, and the
 * earliest ticket of each worker. A worker serves its first session only when no other worker has an earlier ticket, and then wakes
 * the others. So the order holds, and no worker waits for an answer from another.
 */

import type { Backend } from "./backend.ts";
import type { Ledger } from "./ledger.ts";
import type { PoolRow, QueueRow } from "./row.ts";
import type { Scoreboard } from "./scoreboard.ts";

/** Worker numbers are below this. So at most this many workers live at once, draining ones included. */
export const MAX_WORKERS = 1024;

export interface QueueOptions {
  /** Its row on the scoreboard, which counts half-closed sessions. The table of earliest tickets is in the rows after it. */
  readonly row: QueueRow;
  /** Most sessions queued at once, over all workers. Half-closed ones do not count. */
  readonly size: number;
  /** 0 is no limit. */
  readonly timeoutMs: number;
}

/** Cells that a queue needs: one row for the count of half-closed sessions, then one cell for each worker. */
export const QUEUE_CELLS = 16 + MAX_WORKERS;

/** Where the queue gets slots from: its pool. */
export interface SlotSource {
  /** Picks a backend and takes a slot at it. Undefined when all backends are full or tried. */
  take(tried: readonly Backend[], key: number): Backend | undefined;
  /** Whether a backend that was not tried may be picked once it has a free slot. */
  hasOther(tried: readonly Backend[]): boolean;
}

/** How waiting ended: a backend, with a slot taken at it, or the reason for none. Undefined when the session left the queue. */
export type QueueOutcome = Backend | "queue_full" | "queue_timeout" | "no_backend" | undefined;

/** Fallback poll, in case a wake-up is missed. */
const FALLBACK_POLL_MS = 1_000;

/** A session in the queue. */
export class QueuedSession {
  readonly ticket: number;
  /** Backends that it has dialled without success. */
  readonly tried: readonly Backend[];
  /** What `maglev` picks by; 0 for the other algorithms. */
  readonly key: number;
  /** When it has waited too long; Infinity without a timeout. */
  readonly deadlineMs: number;
  /** Whether it no longer counts towards the size of the queue; see {@linkcode Queue.halfClosed}. */
  isHalfClosed = false;
  readonly #done = Promise.withResolvers<QueueOutcome>();

  constructor(ticket: number, tried: readonly Backend[], key: number, deadlineMs: number) {
    this.ticket = ticket;
    this.tried = tried;
    this.key = key;
    this.deadlineMs = deadlineMs;
  }

  get outcome(): Promise<QueueOutcome> {
    return this.#done.promise;
  }

  /** Ends the wait. The queue alone calls it. */
  resolve(outcome: QueueOutcome): void {
    this.#done.resolve(outcome);
  }
}

export class Queue {
  /** The row of the pool. */
  readonly #row: PoolRow;
  readonly #slots: SlotSource;
  readonly #options: QueueOptions;
  readonly #scoreboard: Scoreboard;
  readonly #ledger: Ledger;
  readonly #worker: number;
  /** Sessions of this worker, by ticket. */
  readonly #inOrder = new Set<QueuedSession>();
  /** Retries after a failed dial are exempt from ticket order. */
  readonly #retrying = new Set<QueuedSession>();
  /** Whether {@linkcode Queue.#serveWhenWoken} runs. */
  #awaitsWakes = false;

  constructor(
    poolRow: PoolRow,
    options: QueueOptions,
    slots: SlotSource,
    shared: { readonly scoreboard: Scoreboard; readonly ledger: Ledger; readonly worker: number },
  ) {
    this.#row = poolRow;
    this.#slots = slots;
    this.#options = options;
    this.#scoreboard = shared.scoreboard;
    this.#ledger = shared.ledger;
    this.#worker = shared.worker;
  }

  /** Whether no session is queued, in any worker. Otherwise a new session has to join the queue. */
  get isEmpty(): boolean {
    return this.#scoreboard.count(this.#row) === 0;
  }

  /**
   * Adds a session. When its outcome is a backend, a slot there is taken, and the caller releases it.
   *
   * @return Undefined when the queue is full.
   */
  join(tried: readonly Backend[], key: number, nowMs: number): QueuedSession | undefined {
    const { row, size, timeoutMs } = this.#options;
    if (!this.#ledger.take(this.#row, size + this.#scoreboard.count(row))) return undefined;
    const deadlineMs = timeoutMs === 0 ? Infinity : nowMs + timeoutMs;
    const session = new QueuedSession(this.#scoreboard.takeTicket(this.#row), tried, key, deadlineMs);
    (tried.length > 0 ? this.#retrying : this.#inOrder).add(session);
    this.#publishEarliest();
    if (!this.#awaitsWakes) void this.#serveWhenWoken();
    // A slot that was freed just before the session joined has woken no worker.
    this.#serveOwn();
    return session;
  }

  /** Removes a session. It stops counting at once. */
  leave(session: QueuedSession): void {
    this.#remove(session, undefined);
  }

  /**
   * The client has ended its sending side. It may have gone, or it may wait for the answer. So the session keeps its ticket, but no
   * longer counts towards the size.
   */
  halfClosed(session: QueuedSession): void {
    if (!this.#has(session) || session.isHalfClosed) return;
    session.isHalfClosed = this.#ledger.take(this.#options.row, 0);
  }

  /** Gives free slots to the first sessions. Call it when a slot was released, or the settings of the pool have changed. */
  serve(): void {
    if (this.isEmpty) return;
    this.#serveOwn();
    // The earliest ticket may be at another worker.
    if (!this.isEmpty) this.#scoreboard.wake(this.#row);
  }

  /** Removes sessions that have waited too long. Serves as well, in case a wake-up was missed. */
  onTick(nowMs: number): void {
    if (!this.#hasSessions) return;
    for (const session of [...this.#inOrder, ...this.#retrying]) {
      if (nowMs >= session.deadlineMs) this.#remove(session, "queue_timeout");
    }
    this.#serveOwn();
  }

  #has(session: QueuedSession): boolean {
    return this.#inOrder.has(session) || this.#retrying.has(session);
  }

  /** Whether sessions of this worker are queued. */
  get #hasSessions(): boolean {
    return this.#inOrder.size > 0 || this.#retrying.size > 0;
  }

  /** Serves whenever the pool is woken, for as long as this worker has queued sessions. */
  async #serveWhenWoken(): Promise<void> {
    this.#awaitsWakes = true;
    while (this.#hasSessions) {
      const wakes = this.#scoreboard.wakes(this.#row);
      this.#serveOwn();
      if (!this.#hasSessions) break;
      // deno-lint-ignore no-await-in-loop -- wake-ups follow one another
      await this.#scoreboard.woken(this.#row, wakes, FALLBACK_POLL_MS);
    }
    this.#awaitsWakes = false;
  }

  /** Gives free slots to sessions of this worker: to retries, and to those with the earliest ticket of all workers. */
  #serveOwn(): void {
    let served = 0;
    for (const session of this.#retrying) if (this.#tryServe(session)) served++;
    for (const session of this.#inOrder) {
      if (!this.#isEarliest(session.ticket) || !this.#tryServe(session)) break;
      served++;
    }
    if (served > 0 && !this.isEmpty) this.#scoreboard.wake(this.#row);
  }

  /** Removes the session if it gets a slot, or if no backend is left that it could wait for; gives whether it did. */
  #tryServe(session: QueuedSession): boolean {
    const backend = this.#slots.take(session.tried, session.key);
    if (backend === undefined && this.#slots.hasOther(session.tried)) return false;
    this.#remove(session, backend ?? "no_backend");
    return true;
  }

  #remove(session: QueuedSession, outcome: QueueOutcome): void {
    if (!this.#inOrder.delete(session) && !this.#retrying.delete(session)) return;
    if (session.isHalfClosed) this.#ledger.giveBack(this.#options.row);
    this.#ledger.giveBack(this.#row);
    this.#publishEarliest();
    session.resolve(outcome);
    // It may have had the earliest ticket; then another worker may serve now.
    if (typeof outcome !== "object" && !this.isEmpty) this.#scoreboard.wake(this.#row);
  }

  #publishEarliest(): void {
    // A worker that was given up: its cell may be another's by now, and a ticket in it would hold up all others for ever.
    if (this.#ledger.isSettled) return;
    const [first] = this.#inOrder;
    this.#scoreboard.setTableCell(this.#options.row, this.#worker, first?.ticket ?? 0);
    if (this.#ledger.isSettled) this.#scoreboard.setTableCell(this.#options.row, this.#worker, 0);
  }

  /** Whether no worker has an earlier ticket. Tickets wrap around, so their difference decides. */
  #isEarliest(ticket: number): boolean {
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      const other = this.#scoreboard.tableCell(this.#options.row, worker);
      if (other !== 0 && ((other - ticket) | 0) < 0) return false;
    }
    return true;
  }
}
