/** A session while it lives: its facts, its clock, and the one place where it is ended. */

import type { CoarseClock, Watched } from "../core/coarse_clock.ts";
import type { Backend } from "../pool/pool.ts";
import type { EndReason, SessionRecord } from "./record.ts";
import { overdue, type SessionLimits } from "./timeouts.ts";

/**
 * How long the client of a dead backend may take to read the last bytes and go. Closing at once would reset its
 * connection while bytes of the backend are still on their way (RFC 1122, 4.2.2.13); waiting for long would keep a
 * session that has no purpose.
 */
const LINGER_MS = 2_000;

export interface LiveSessionOptions {
  readonly id: string;
  readonly listener: string;
  readonly limits: SessionLimits;
  readonly client: Deno.Conn;
  readonly clock: CoarseClock;
}

export class LiveSession implements Watched {
  readonly client: Deno.Conn;
  /** Relayed so far; the relay counts here. */
  bytesIn = 0;
  bytesOut = 0;
  /** When a byte last moved; the relay keeps it. */
  lastActiveMs = Infinity;
  /** Whether one direction has ended; the relay sets it. */
  halfClosed = false;
  /** Backends dialled, the last of which may be the one that was reached. */
  attempts = 0;
  readonly failed: string[] = [];

  readonly startedMs: number;
  readonly #options: LiveSessionOptions;
  readonly #clock: CoarseClock;
  #backend: Backend | undefined;
  #backendConn: Deno.Conn | undefined;
  #dialledMs = 0;
  #dialDeadlineMs = Infinity;
  #dialAbort: AbortController | undefined;
  #lingerDeadlineMs = Infinity;
  #endReason: EndReason | undefined;
  #closed = false;

  constructor(options: LiveSessionOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.client = options.client;
    this.startedMs = options.clock.exactMs();
  }

  /** Whether the session is over; nothing more may be begun for it. */
  get ended(): boolean {
    return this.#closed;
  }

  /** One more dial begins; the signal aborts it at its timeout or with the session. */
  beginDial(timeoutMs: number): AbortSignal {
    this.attempts++;
    this.#dialAbort = new AbortController();
    this.#dialDeadlineMs = timeoutMs === 0 ? Infinity : this.#clock.exactMs() + timeoutMs;
    return this.#dialAbort.signal;
  }

  /** The last dial is over, however it went. */
  endDial(): void {
    this.#dialAbort = undefined;
    this.#dialDeadlineMs = Infinity;
    this.#dialledMs = this.#clock.exactMs() - this.startedMs;
  }

  /** A backend was reached. The session closes `conn` when it ends, or now if it has ended meanwhile. */
  connected(backend: Backend, conn: Deno.Conn): void {
    this.#backend = backend;
    this.#backendConn = conn;
    this.lastActiveMs = this.#clock.nowMs;
    if (this.#closed) closeQuietly(conn);
  }

  onTick(nowMs: number): void {
    if (nowMs >= this.#dialDeadlineMs) this.#dialAbort?.abort(new DOMException("timed out", "TimeoutError"));
    const reason = overdue(this, this.#options.limits, nowMs);
    if (reason !== undefined) this.end(reason);
    else if (nowMs >= this.#lingerDeadlineMs) this.end("backend_reset");
  }

  /** The backend is gone: the client gets what is on its way, and a little time to go. */
  linger(): void {
    this.#endReason ??= "backend_reset";
    if (this.#lingerDeadlineMs === Infinity) this.#lingerDeadlineMs = this.#clock.exactMs() + LINGER_MS;
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
  record(client: string): SessionRecord {
    const durationMs = this.#clock.exactMs() - this.startedMs;
    return {
      id: this.#options.id,
      listener: this.#options.listener,
      client,
      backend: this.#backend?.name,
      bytes_in: this.bytesIn,
      bytes_out: this.bytesOut,
      dial_ms: roundMs(this.#dialledMs),
      duration_ms: roundMs(durationMs),
      attempts: this.attempts,
      failed: this.failed.length === 0 ? undefined : this.failed,
      end: this.#endReason ?? "internal_error",
    };
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
