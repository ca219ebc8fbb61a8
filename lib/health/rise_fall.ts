/**
 * When results make a difference: so many in a row, as `rise` and `fall` of HAProxy. Pure.
 *
 * One lost packet should not take a backend down, and one lucky answer should not bring it back.
 */

import type { CheckTiming } from "./check.ts";

/** What past results amount to. */
export interface Standing {
  readonly isUp: boolean;
  /** How many results in a row, up to the last one, speak against `isUp`. */
  readonly against: number;
}

/** A backend is taken to be up until checks have shown otherwise. */
export const INITIAL_STANDING: Standing = { isUp: true, against: 0 };

/** The standing after one more result. A result that agrees with it makes all earlier doubts void. */
export function nextStanding(
  { isUp, against }: Standing,
  ok: boolean,
  { rise, fall }: Pick<CheckTiming, "rise" | "fall">,
): Standing & { readonly hasChanged: boolean } {
  if (ok === isUp) return { isUp, against: 0, hasChanged: false };
  const hasChanged = against + 1 >= (isUp ? fall : rise);
  return hasChanged ? { isUp: ok, against: 0, hasChanged } : { isUp, against: against + 1, hasChanged };
}
