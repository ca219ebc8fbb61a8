/** A session while it lives: its facts, its clock, and the one place where it is ended. */

import type { CoarseClock } from "../core/coarse_clock.ts";
import type { Backend } from "../pool/backend.ts";
import type { Pool } from "../pool/pool.ts";
import type { EarlyRead } from "./early_read.ts";
import type { LiveSessionFacts } from "./messages.ts";
import type { EndReason, SessionRecord } from "./record.ts";
import { overdue, type SessionLimits } from "./timeouts.ts";

/** What all sessions of a listener share. */
export interface Entrance {
  /** The row of the listener on the scoreboard. */
  readonly row: number;
  /** The row for the count of its sessions. */
  readonly sessionsRow: number;
  /** The listener's name. */
  readonly name: string;
  readonly pool: Pool;
  readonly limits: SessionLimits;
}

/** An attempt to reach a backend, and why it failed, in a few plain words. */
export interface FailedDial {
  readonly backend: Backend;
  readonly failure: string;
}

/** Thousands of these rest in memory at once, so that what all sessions of a listener share is not in each of them. */
export class LiveSession {
  readonly client: Deno.Conn;
  /** How it came in. */
  readonly entrance: Entrance;
  readonly startedMs: number;
  /** Relayed so far. */
  bytesIn = 0;
  bytesOut = 0;
  /** Of these, what has been accounted for. */
  countedIn = 0;
  countedOut = 0;
  /** Whether one direction has come to its end. */
  isDirectionEnded = false;
  /** When a byte last moved, or a little later: never so early that a timeout would come too soon. */
  lastActiveMs = Infinity;
  /** Where it stands among the sessions of its worker; theirs to set. */
  place = 0;

  readonly #clock: CoarseClock;
  #earlyRead: EarlyRead | undefined;
  #backend: Backend | undefined;
  #backendConn: Deno.Conn | undefined;
  #attempts = 0;
  #failed: FailedDial[] | undefined;
  #firstDialMs = 0;
  #lastDialMs = 0;
  #dialMs = 0;
  #dialledMs = 0;
  #dialAbort: AbortController | undefined;
  #dialDeadlineMs = Infinity;
  #queuedMs: number | undefined;
  /** Ends the wait in the queue; set while it waits. */
  #leaveQueue: (() => void) | undefined;
  /** Whether bytes have moved since the last tick, which takes note of it. */
  #hasMoved = false;
  #isBackendGone = false;
  #endReason: EndReason | undefined;
  #closed = false;

  /**
   * From here on the session owns `client`.
   *
   * @param earlyRead The first read on the client, which has begun.
   */
  constructor(client: Deno.Conn, entrance: Entrance, earlyRead: EarlyRead, clock: CoarseClock) {
    this.client = client;
    this.entrance = entrance;
    this.#earlyRead = earlyRead;
    this.#clock = clock;
    this.startedMs = clock.exactMs();
  }

  /** Whether the session is over; nothing more may be begun for it. */
  get ended(): boolean {
    return this.#closed;
  }

  /** Whom it is relayed to, and has a slot at; undefined before that. */
  get backend(): Backend | undefined {
    return this.#backend;
  }

  /** Its connection to {@linkcode backend}; the session closes it. */
  get backendConn(): Deno.Conn | undefined {
    return this.#backendConn;
  }

  get earlyRead(): EarlyRead | undefined {
    return this.#earlyRead;
  }

  /** Hands the client's first read over to the relay, which gives its buffer back. */
  takeEarlyRead(): EarlyRead | undefined {
    const read = this.#earlyRead;
    this.#earlyRead = undefined;
    return read;
  }

  /** Since it was accepted. */
  get ageMs(): number {
    return this.#clock.exactMs() - this.startedMs;
  }

  /** Backends dialled. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Exactly, of the session's clock. */
  get nowMs(): number {
    return this.#clock.exactMs();
  }

  /** Waits for a free backend; `leave` is called when the session ends meanwhile. */
  beginQueue(leave: () => void): void {
    this.#leaveQueue = leave;
    this.#queuedMs = -this.#clock.exactMs();
  }

  endQueue(): void {
    this.#leaveQueue = undefined;
    this.#queuedMs = (this.#queuedMs ?? 0) + this.#clock.exactMs();
  }

  get isQueued(): boolean {
    return this.#leaveQueue !== undefined;
  }

  /** One more dial begins; the signal aborts it at its timeout or with the session. */
  beginDial(timeoutMs: number): AbortSignal {
    this.#lastDialMs = this.#clock.exactMs();
    if (this.#attempts++ === 0) this.#firstDialMs = this.#lastDialMs;
    this.#dialAbort = new AbortController();
    this.#dialDeadlineMs = timeoutMs === 0 ? Infinity : this.#lastDialMs + timeoutMs;
    return this.#dialAbort.signal;
  }

  /** The dial could not even begin, and does not count. */
  dialPostponed(): void {
    this.#attempts--;
    this.#endDial();
  }

  /** The dial has failed; another may follow. */
  dialFailed(backend: Backend, failure: string): void {
    this.#endDial();
    (this.#failed ??= []).push({ backend, failure });
    if (!this.#closed) this.entrance.pool.failed(backend);
  }

  /** The backend was reached. The session closes `conn` when it ends, or now if it has ended meanwhile. */
  connected(backend: Backend, conn: Deno.Conn): void {
    this.lastActiveMs = this.#endDial();
    this.#backend = backend;
    this.#backendConn = conn;
    this.#dialMs = this.lastActiveMs - this.#lastDialMs;
    if (this.#closed) closeQuietly(conn);
  }

  /** The relay has passed bytes on, from the client or else to it. */
  moved(direction: "in" | "out", bytes: number): void {
    this.#hasMoved = true;
    if (direction === "in") {
      this.bytesIn += bytes;
      return;
    }
    if (this.bytesOut === 0 && this.#backend !== undefined) this.entrance.pool.answered(this.#backend);
    this.bytesOut += bytes;
  }

  /** The relay has passed on the end of one direction, which counts as a byte that moved. */
  directionEnded(): void {
    this.isDirectionEnded = true;
    this.#hasMoved = true;
  }

  /** Asks, often, whether the session's time has come. */
  onTick(nowMs: number): void {
    if (this.#hasMoved) {
      this.#hasMoved = false;
      this.lastActiveMs = nowMs;
    }
    if (nowMs >= this.#dialDeadlineMs) this.#dialAbort?.abort(new DOMException("timed out", "TimeoutError"));
    const reason = overdue(this, this.entrance.limits, nowMs);
    if (reason !== undefined) this.end(reason);
  }

  /** Whether one direction is over, so that the other has to move if the session is to last. */
  get halfClosed(): boolean {
    return this.isDirectionEnded || this.#isBackendGone;
  }

  /**
   * The backend is gone: the client gets what is on its way, and time to go by itself. Closing at once would reset its
   * connection, and what it has not read yet would be lost (RFC 1122, 4.2.2.13); the half-close timeout is the bound.
   */
  backendGone(): void {
    // What was closed here is no fault of the backend.
    if (this.#closed) return;
    if (this.bytesOut === 0 && this.#backend !== undefined) this.entrance.pool.failed(this.#backend);
    this.#endReason ??= "backend_reset";
    this.#isBackendGone = true;
  }

  /** Ends the session: closes both connections, which ends every read and write on them. The first reason stands. */
  end(reason: EndReason): void {
    this.#endReason ??= reason;
    if (this.#closed) return;
    this.#closed = true;
    this.#leaveQueue?.();
    this.#dialAbort?.abort(new DOMException("the session ended", "AbortError"));
    closeQuietly(this.client);
    if (this.#backendConn !== undefined) closeQuietly(this.#backendConn);
  }

  /** What can be said about it while it lasts. */
  facts(client: string): LiveSessionFacts {
    return {
      listener: this.entrance.name,
      pool: this.entrance.pool.options.name,
      client,
      backend: this.#backend?.name ?? null,
      age_ms: Math.round(this.ageMs),
      bytes_in: this.bytesIn,
      bytes_out: this.bytesOut,
    };
  }

  /** What the session leaves behind. Call it after {@linkcode end}. */
  record(id: string, client: string): SessionRecord {
    return {
      id,
      listener: this.entrance.name,
      client,
      pool: this.entrance.pool.options.name,
      backend: this.#backend?.name,
      bytes_in: this.bytesIn,
      bytes_out: this.bytesOut,
      queue_ms: this.#queuedMs === undefined ? undefined : roundMs(this.#queuedMs),
      dial_ms: roundMs(this.#dialledMs),
      duration_ms: roundMs(this.ageMs),
      attempts: this.#attempts,
      failed: this.#failed?.map(({ backend, failure }) => `${backend.name}: ${failure}`),
      end: this.endReason,
    };
  }

  get endReason(): EndReason {
    return this.#endReason ?? "internal_error";
  }

  get failedDials(): readonly FailedDial[] {
    return this.#failed ?? [];
  }

  /** The dial that reached the backend, alone; 0 when none did. */
  get dialMs(): number {
    return this.#dialMs;
  }

  /** Undefined when it did not wait. */
  get queuedMs(): number | undefined {
    return this.#queuedMs;
  }

  /** Gives the time, which is read once for all that want it. */
  #endDial(): number {
    const nowMs = this.#clock.exactMs();
    this.#dialAbort = undefined;
    this.#dialDeadlineMs = Infinity;
    this.#dialledMs = nowMs - this.#firstDialMs;
    return nowMs;
  }
}

/** Microseconds are as much as the clock is good for. */
function roundMs(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed before; there is nothing left to close.
  }
}
