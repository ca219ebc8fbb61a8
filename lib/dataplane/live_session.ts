/** A session while it lives: its facts, its clock, and the one place where it is ended. */

import type { CoarseClock } from "../core/coarse_clock.ts";
import type { Backend } from "../pool/pool.ts";
import type { EndReason, SessionRecord } from "./record.ts";
import { overdue, type SessionLimits } from "./timeouts.ts";

/** Thousands of these rest in memory at once, so that what all sessions of a listener share is not in each of them. */
export class LiveSession {
  readonly client: Deno.Conn;
  readonly startedMs: number;
  /** Relayed so far; the relay counts here. */
  bytesIn = 0;
  bytesOut = 0;
  /** Set by the relay whenever bytes have moved; the next tick takes note of it. */
  hasMoved = false;
  /** Whether one direction has come to its end; the relay sets it. */
  isDirectionEnded = false;
  /** When a byte last moved, or a little later: never so early that a timeout would come too soon. */
  lastActiveMs = Infinity;

  readonly #limits: SessionLimits;
  readonly #clock: CoarseClock;
  #backend: Backend | undefined;
  #backendConn: Deno.Conn | undefined;
  #attempts = 0;
  #failed: string[] | undefined;
  #dialledMs = 0;
  #dialAbort: AbortController | undefined;
  #dialDeadlineMs = Infinity;
  #isBackendGone = false;
  #endReason: EndReason | undefined;
  #closed = false;

  /** From here on the session owns `client`. */
  constructor(client: Deno.Conn, limits: SessionLimits, clock: CoarseClock) {
    this.client = client;
    this.#limits = limits;
    this.#clock = clock;
    this.startedMs = clock.exactMs();
  }

  /** Whether the session is over; nothing more may be begun for it. */
  get ended(): boolean {
    return this.#closed;
  }

  /** One more dial begins; the signal aborts it at its timeout or with the session. */
  beginDial(timeoutMs: number): AbortSignal {
    this.#attempts++;
    this.#dialAbort = new AbortController();
    this.#dialDeadlineMs = timeoutMs === 0 ? Infinity : this.#clock.exactMs() + timeoutMs;
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
    (this.#failed ??= []).push(`${backend.name}: ${failure}`);
  }

  /** The backend was reached. The session closes `conn` when it ends, or now if it has ended meanwhile. */
  connected(backend: Backend, conn: Deno.Conn): void {
    this.#endDial();
    this.#backend = backend;
    this.#backendConn = conn;
    this.lastActiveMs = this.#clock.exactMs();
    if (this.#closed) closeQuietly(conn);
  }

  /** Asks, often, whether the session's time has come. */
  onTick(nowMs: number): void {
    if (this.hasMoved) {
      this.hasMoved = false;
      this.lastActiveMs = nowMs;
    }
    if (nowMs >= this.#dialDeadlineMs) this.#dialAbort?.abort(new DOMException("timed out", "TimeoutError"));
    const reason = overdue(this, this.#limits, nowMs);
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
    this.#endReason ??= "backend_reset";
    this.#isBackendGone = true;
  }

  /** Ends the session: closes both connections, which ends every read and write on them. The first reason stands. */
  end(reason: EndReason): void {
    this.#endReason ??= reason;
    if (this.#closed) return;
    this.#closed = true;
    this.#dialAbort?.abort(new DOMException("the session ended", "AbortError"));
    closeQuietly(this.client);
    if (this.#backendConn !== undefined) closeQuietly(this.#backendConn);
  }

  /** What the session leaves behind. Call it after {@linkcode end}. */
  record(id: string, listener: string, client: string): SessionRecord {
    return {
      id,
      listener,
      client,
      backend: this.#backend?.name,
      bytes_in: this.bytesIn,
      bytes_out: this.bytesOut,
      dial_ms: roundMs(this.#dialledMs),
      duration_ms: roundMs(this.#clock.exactMs() - this.startedMs),
      attempts: this.#attempts,
      failed: this.#failed,
      end: this.#endReason ?? "internal_error",
    };
  }

  #endDial(): void {
    this.#dialAbort = undefined;
    this.#dialDeadlineMs = Infinity;
    this.#dialledMs = this.#clock.exactMs() - this.startedMs;
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
