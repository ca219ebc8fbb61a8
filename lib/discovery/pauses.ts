/** How long is waited before a source that could not be reached is tried again. Pure. */

/** After the first failure. */
export const FIRST_PAUSE_MS = 1_000;

const MAX_PAUSE_MS = 30_000;

/** The pause after the next failure in a row: twice as long, up to half a minute. */
export function nextPauseMs(pauseMs: number): number {
  return Math.min(pauseMs * 2, MAX_PAUSE_MS);
}
