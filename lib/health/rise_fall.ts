/**
 * When results make a difference: so many in a row, as `rise` and `fall` of HAProxy. Pure.
 *
 * One lost packet should not take a backend down, and one lucky answer should not bring it back. Only the first result decides
 * alone: a backend that is not ready gets no traffic while the others are counted.
 */

import type { CheckTiming } from "./check.ts";

/** What past results amount to. */
export interface Standing {
  readonly isUp: boolean;
  /** How many results in a row, up to the last one, speak against `isUp`. */
  readonly against: number;
  /** Whether there was a result at all; the first one decides alone. */
  readonly isKnown: boolean;
}

/** Before the first check. */
export function initialStanding(isUp: boolean): Standing {
  return { isUp, against: 0, isKnown: false };
}

/** The standing after one more result. A result that agrees with it makes all earlier doubts void. */
export function nextStanding(
  { isUp, against, isKnown }: Standing,
  ok: boolean,
  { rise, fall }: Pick<CheckTiming, "rise" | "fall">,
): Standing & { readonly hasChanged: boolean } {
  if (ok === isUp) return { isUp, against: 0, isKnown: true, hasChanged: false };
  const hasChanged = !isKnown || against + 1 >= (isUp ? fall : rise);
  return { isUp: hasChanged ? ok : isUp, against: hasChanged ? 0 : against + 1, isKnown: true, hasChanged };
}
