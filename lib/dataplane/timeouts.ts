/** When a session is overdue. Pure: times come in, a reason comes out. */

import type { EndReason } from "./record.ts";

/** Limits on a session, in milliseconds; 0 is none. */
export interface SessionLimits {
  readonly idleTimeoutMs: number;
  readonly halfCloseTimeoutMs: number;
  readonly maxSessionDurationMs: number;
}

/** The times that decide, all of the same clock. */
export interface SessionTimes {
  readonly startedMs: number;
  /** When a byte last moved in either direction; Infinity as long as there is no backend to move bytes to. */
  readonly lastActiveMs: number;
  /** Whether one direction has ended. */
  readonly halfClosed: boolean;
  /** Writes that a peer has not taken yet: it may read slowly, so that the other one is not silent but held up. */
  readonly pendingWrites: number;
  /** When the client was told the end of what a backend that is gone had sent; Infinity before that. */
  readonly leftOverMs: number;
}

/**
 * How long a client gets to go by itself when its backend is gone and all that the backend had sent was passed on. Then its
 * connection is closed, so that a client which only writes learns of it with its next write.
 */
const LEAVE_MS = 500;

/** The limit that the session has run into, or undefined. */
export function overdue(times: SessionTimes, limits: SessionLimits, nowMs: number): EndReason | undefined {
  const silentMs = nowMs - times.lastActiveMs;
  if (exceeds(nowMs - times.startedMs, limits.maxSessionDurationMs)) return "max_duration";
  if (nowMs - times.leftOverMs >= LEAVE_MS) return "backend_reset";
  if (times.halfClosed && times.pendingWrites === 0 && exceeds(silentMs, limits.halfCloseTimeoutMs)) {
    return "half_close_timeout";
  }
  if (exceeds(silentMs, limits.idleTimeoutMs)) return "idle_timeout";
  return undefined;
}

function exceeds(elapsedMs: number, limitMs: number): boolean {
  return limitMs > 0 && elapsedMs >= limitMs;
}
