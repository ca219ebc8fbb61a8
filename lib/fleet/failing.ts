/** Whether sessions begin to fail under a configuration that is tried. Pure. */

/** Sessions of a span of time. */
export interface Sessions {
  /** That have ended. */
  readonly ended: number;
  /** Of these, those that could not be served, or were lost with their backend. */
  readonly failed: number;
}

/** Fewer may be chance. */
const MIN_FAILED = 5;

/** What fails below it is the noise of any service. */
const MIN_SHARE = 0.01;

/**
 * Why a configuration is given up, in one sentence; undefined when it is not: at least five sessions have failed, which are at
 * least one in a hundred, and more than twice the share of before. Where half of them failed before, nothing can begin.
 *
 * @param before The last minute under the configuration before.
 * @param now Since the other one is in force.
 */
export function whyFailing(before: Sessions, now: Sessions): string | undefined {
  const [share, shareBefore] = [shareOf(now), shareOf(before)];
  if (now.failed < MIN_FAILED || share < MIN_SHARE || share <= 2 * shareBefore) return undefined;
  return `${now.failed} of ${now.ended} sessions have failed (${percent(share)}), and ${
    percent(shareBefore)
  } before`;
}

function shareOf({ ended, failed }: Sessions): number {
  return ended === 0 ? 0 : failed / ended;
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`;
}
