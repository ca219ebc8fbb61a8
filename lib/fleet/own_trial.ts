/** A configuration that is tried here, and what comes of it. Pure. */

import { type Sessions, whyFailing } from "./failing.ts";
import { PASSED, type Result } from "./trial.ts";

/** `rollout` of the configuration. */
export interface Policy {
  /** How many balancers try a change before the others. */
  readonly canary: number;
  readonly waitMs: number;
}

export interface OwnTrial {
  readonly revision: string;
  readonly policy: Policy;
  /** Those of the last minute under the configuration before. */
  readonly before: Sessions;
  /** Whether every pool had a backend that could be picked. */
  readonly wasReady: boolean;
  readonly startMs: number;
  /** All sessions until then. */
  readonly start: Sessions;
  result: Result | undefined;
  /** Whether it is the one in force. */
  isLoaded: boolean;
}

/** How it is with this balancer now. */
export interface Now {
  /** All sessions until now. */
  readonly sessions: Sessions;
  readonly nowMs: number;
  readonly isReady: () => boolean;
}

/** What has come of a trial; undefined while it is too early to say. */
export function judge(
  { before, start, startMs, policy, wasReady }: OwnTrial,
  { sessions: { ended, failed }, nowMs, isReady }: Now,
): Result | undefined {
  const failing = whyFailing(before, { ended: ended - start.ended, failed: failed - start.failed });
  if (failing !== undefined) return failing;
  if (nowMs - startMs < policy.waitMs) return undefined;
  return wasReady && !isReady() ? "a pool that had a backend that may be picked has none any more" : PASSED;
}
