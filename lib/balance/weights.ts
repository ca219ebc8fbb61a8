/** The weights of members, by position. */

import type { Load, Member } from "./picker.ts";

/** Whole numbers of at least 1. */
export type Weights = Uint32Array;

/** What the members weigh. */
export function weightsOf(members: readonly Member[]): Weights {
  return Uint32Array.from(members, (member) => member.weight);
}

/** The same proportions in the smallest whole numbers: 4, 6 become 2, 3. */
export function reduced(weights: Weights): Weights {
  let divisor = 0;
  for (const weight of weights) divisor = commonDivisor(divisor, weight);
  return divisor > 1 ? weights.map((weight) => weight / divisor) : weights;
}

/** The weight of all members that are free now, without the one at `except`. */
export function freeWeight(weights: Weights, load: Load, except: number): number {
  let free = 0;
  for (let i = 0; i < weights.length; i++) {
    if (i !== except && load.isFree(i)) free += weights[i] ?? 0;
  }
  return free;
}

/**
 * The free member that holds a point of the weight that is free.
 *
 * @param point From 0 to {@linkcode freeWeight}, that excluded.
 * @param except A position that does not count as free, or -1.
 * @return The position of the member, or -1 when none is free.
 */
export function freeMemberAt(weights: Weights, load: Load, point: number, except: number): number {
  let left = point;
  let last = -1;
  for (let i = 0; i < weights.length; i++) {
    if (i === except || !load.isFree(i)) continue;
    last = i;
    left -= weights[i] ?? 0;
    if (left < 0) break;
  }
  // Another thread may have filled members since their weight was added up; then it is the last that is still free.
  return last;
}

/** The greatest common divisor; of 0 and a number, that number. */
function commonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
