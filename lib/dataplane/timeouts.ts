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
}

/** The limit that the session has run into, or undefined. */
export function overdue(times: SessionTimes, limits: SessionLimits, nowMs: number): EndReason | undefined {
  const silentMs = nowMs - times.lastActiveMs;
  if (exceeds(nowMs - times.startedMs, limits.maxSessionDurationMs)) return "max_duration";
  if (times.halfClosed && exceeds(silentMs, limits.halfCloseTimeoutMs)) return "half_close_timeout";
  if (exceeds(silentMs, limits.idleTimeoutMs)) return "idle_timeout";
  return undefined;
}

function exceeds(elapsedMs: number, limitMs: number): boolean {
  return limitMs > 0 && elapsedMs >= limitMs;
}
