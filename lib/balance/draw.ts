/** Drawing a member at random in proportion to its weight. */

import type { Load } from "./picker.ts";
import { freeMemberAt, freeWeight, type Weights } from "./weights.ts";

/**
 * Draws a free member.
 *
 * @param except A position that is not drawn, or -1.
 * @return The position of the member, or -1 when no other is free.
 */
export type Draw = (load: Load, except: number) => number;

/** Blind draws before the free members are looked at one by one; with half of the weight free, 1 in 256 draws comes to that. */
const BLIND_DRAWS = 8;

/**
 * Builds the drawing: O(log members) while most of the weight is free, O(members) otherwise.
 *
 * Both ways give every free member exactly its share: a blind draw that hits a member that is not free is drawn again.
 */
export function drawByWeight(weights: Weights, random: () => number): Draw {
  const ends = new Float64Array(weights.length);
  let total = 0;
  weights.forEach((weight, i) => ends[i] = total += weight);

  return (load, except) => {
    if (total === 0) return -1;
    for (let draws = 0; draws < BLIND_DRAWS; draws++) {
      const member = holderOf(random() * total, ends);
      if (member !== except && load.isFree(member)) return member;
    }
    return freeMemberAt(weights, load, random() * freeWeight(weights, load, except), except);
  };
}

/** The first position whose end lies beyond `point`. */
function holderOf(point: number, ends: Float64Array): number {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle] ?? 0) > point) high = middle;
    else low = middle + 1;
  }
  return low;
}
