/** When connections are opened and requests begin. Pure; times are milliseconds since the start of the run. */

/** When connection number `k` (from 0) of so many is opened. */
export function openingMs(k: number, connections: number, rampMs: number): number {
  return k * rampMs / connections;
}

/**
 * When request number `n` (from 0) of an open loop begins. The rate grows evenly from 0 during the ramp, so that the number of
 * requests that have begun grows with the square of the time, and is constant from then on.
 */
export function beginningMs(n: number, ratePerSecond: number, rampMs: number): number {
  const perMs = ratePerSecond / 1_000;
  const inRamp = perMs * rampMs / 2;
  return n < inRamp ? Math.sqrt(2 * n * rampMs / perMs) : rampMs + (n - inRamp) / perMs;
}
