/** How long a session rests before it dials again. Pure. */

/** Before the first dial of a backend that was dialled without success; doubles with each one that follows, three times. */
const RETRY_PAUSE_MS = 500;

/** Pause before a backend is dialled again, after `dials` unsuccessful dials, when there is no other. */
export function restBeforeSameMs(dials: number): number {
  return RETRY_PAUSE_MS * 2 ** Math.min(dials - 1, 3);
}

/** As long as a dial may take by default; for pools whose dials may take as long as the system wants. */
const SHORTAGE_PATIENCE_MS = 5_000;

/** Each dial without a local port makes the system look through all of them, so there are only a few. */
const SHORTAGE_PAUSE_MS = 100;
const MAX_SHORTAGE_PAUSE_MS = 1_000;

/**
 * How long a session rests that has found no local port, for which it waits as long as a dial may take; undefined when it has
 * waited for that long. Each rest is as long as all those before.
 */
export function shortageRestMs(waitedMs: number, dialTimeoutMs: number): number | undefined {
  if (waitedMs >= (dialTimeoutMs || SHORTAGE_PATIENCE_MS)) return undefined;
  return Math.min(Math.max(waitedMs, SHORTAGE_PAUSE_MS), MAX_SHORTAGE_PAUSE_MS);
}
