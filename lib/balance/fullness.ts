/** How full a member is beside others. */

import type { Load } from "./picker.ts";
import type { Weights } from "./weights.ts";

/**
 * The sessions that a member would have with one more, for each unit of its weight.
 *
 * With the one that is to come counted, of two idle members the heavier is the emptier. Equal fractions are equal
 * numbers here, and others are not, as long as sessions times weight stays below 2^52.
 */
export function fullness(member: number, weights: Weights, load: Load): number {
  return (load.active(member) + 1) / (weights[member] ?? 1);
}
