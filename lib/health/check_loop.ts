/** The checks of one backend, one after the other until they are stopped. */

import type { CheckResult } from "./check.ts";

export interface CheckLoopOptions {
  /** From the start of one check to the start of the next; at least 1. */
  readonly intervalMs: number;
  /** One check, which reports at once and resolves when it is over; see `Probe`. Must not reject. */
  readonly probe: (stop: AbortSignal, report: (result: CheckResult) => void) => Promise<void>;
  /** Is given each result, and decides what it means. Must not throw. */
  readonly report: (result: CheckResult) => void;
  /** Resolves when the next check may start; see `StartPace`. */
  readonly turn: () => Promise<void>;
  readonly now: () => number;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
  /** Resolves after so many milliseconds, or as soon as `stop` is aborted; see sleep.ts. */
  readonly sleep: (ms: number, stop: AbortSignal) => Promise<void>;
}

/** An interval is up to so much shorter or longer: loops that start together do not stay together. */
const JITTER = 0.05;

/**
 * Checks at once and then every interval, never twice at a time, until `stop` is aborted; resolves when none is under
 * way any more. Reports nothing after `stop`.
 *
 * A check that takes longer than the interval is followed by the next at once. One that waits for its start begins, for
 * its timeout and for the interval, when it starts.
 */
export async function runChecks(options: CheckLoopOptions, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    // deno-lint-ignore no-await-in-loop -- one check after the other is the point
    await options.turn();
    // deno-lint-ignore no-await-in-loop -- see above
    const startedMs = await checkOnce(options, stop);
    const intervalMs = options.intervalMs * (1 + JITTER * (2 * options.random() - 1));
    const restMs = Math.max(0, startedMs + intervalMs - options.now());
    // deno-lint-ignore no-await-in-loop -- see above
    if (!stop.aborted) await options.sleep(restMs, stop);
  }
}

/** When it started. */
async function checkOnce(
  { now, probe, report }: CheckLoopOptions,
  stop: AbortSignal,
): Promise<number> {
  const startedMs = now();
  // It may have been stopped while it waited for its start.
  if (!stop.aborted) {
    await probe(stop, (result) => {
      if (!stop.aborted) report(result);
    });
  }
  return startedMs;
}
