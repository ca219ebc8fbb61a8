/**
 * Passive health: which backend is ejected because sessions with it fail, and for how long. Pure.
 *
 * As in Envoy's outlier detection, an ejection is longer the more often it happens, and only a part of a pool can be
 * ejected: when all backends fail, the fault is likely to be elsewhere, and no backend would be worse than a bad one.
 */

/** A backend that relapses is ejected for so many times the shortest ejection, and no longer. */
const MAX_EJECTIONS_COUNTED = 10;

/** What is remembered about the ejections of one backend. Times are of one clock that only goes forward. */
export interface EjectionHistory {
  /** Ejections that count, 0 to 10; the last one included. */
  readonly count: number;
  /** The end of the last ejection; the backend is back from this moment on. */
  readonly untilMs: number;
}

export const NEVER_EJECTED: EjectionHistory = { count: 0, untilMs: -Infinity };

export interface EjectionLimits {
  /** How long the first ejection lasts. */
  readonly ejectionTimeMs: number;
  /** Of all backends of the pool, 0 to 100; rounded down to whole backends. */
  readonly maxEjectedPercent: number;
}

/** The pool of a backend at this moment. */
export interface EjectionPool {
  readonly size: number;
  /** How many of its backends are ejected now. */
  readonly ejected: number;
}

export function isEjected({ untilMs }: EjectionHistory, nowMs: number): boolean {
  return nowMs < untilMs;
}

/**
 * Decides about a backend with which too many sessions in a row have failed.
 *
 * @return Its history with the new ejection; undefined when it is not ejected: it is already (what sessions from before
 * run into is no news), or the pool cannot spare it.
 */
export function eject(
  history: EjectionHistory,
  pool: EjectionPool,
  { ejectionTimeMs, maxEjectedPercent }: EjectionLimits,
  nowMs: number,
): EjectionHistory | undefined {
  if (isEjected(history, nowMs)) return undefined;
  const maxEjected = Math.floor(pool.size * maxEjectedPercent / 100);
  if (pool.ejected >= maxEjected) return undefined;
  const count = Math.min(countedEjections(history, ejectionTimeMs, nowMs) + 1, MAX_EJECTIONS_COUNTED);
  return { count, untilMs: nowMs + ejectionTimeMs * count };
}

/**
 * Ejections that still count against a backend, 0 to 10.
 *
 * One is forgiven whenever the backend has been back for as long as it was ejected: after the third, which lasted three
 * times as long as a first, it takes three times as long until two count, and then twice as long until one does.
 */
export function countedEjections(
  { count, untilMs }: EjectionHistory,
  ejectionTimeMs: number,
  nowMs: number,
): number {
  let counted = count;
  let servedMs = nowMs - untilMs;
  while (counted > 0 && servedMs >= ejectionTimeMs * counted) {
    servedMs -= ejectionTimeMs * counted;
    counted--;
  }
  return counted;
}
