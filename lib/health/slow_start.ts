/**
 * How much of its weight a backend has after it has come back. Pure.
 *
 * A backend that has just started has cold caches; with all of its weight at once, or as the one with the least
 * connections, it could fall over again.
 */

const STEPS = 10;

export interface Ramp {
  /** Of the weight: 10, 20 and so on to 100. */
  readonly percent: number;
  /** Until the next step; undefined when there is none. */
  readonly nextInMs: number | undefined;
}

/**
 * The share at a moment: a tenth at first, and from then on the share of the time that has passed, in tenths.
 *
 * @param elapsedMs Since the recovery.
 * @param slowStartMs Until the whole weight is back; 0 is at once.
 */
export function rampAt(elapsedMs: number, slowStartMs: number): Ramp {
  if (elapsedMs >= slowStartMs) return { percent: 100, nextInMs: undefined };
  const step = Math.max(1, Math.floor(elapsedMs * STEPS / slowStartMs));
  return { percent: step * 100 / STEPS, nextInMs: (step + 1) * slowStartMs / STEPS - elapsedMs };
}
