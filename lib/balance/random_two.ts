import { drawByWeight } from "./draw.ts";
import { fullness } from "./fullness.ts";
import type { Member, Picker } from "./picker.ts";
import { weightsOf } from "./weights.ts";

/**
 * Of two different members, drawn in proportion to weight, the one with fewer sessions for its weight.
 *
 * Nearly as even as looking at all of them, for the price of two (Mitzenmacher, The Power of Two Choices in Randomized
 * Load Balancing, 1996), and balancers that do not know of each other do not all run to the same member.
 */
export function randomTwo(members: readonly Member[], random: () => number): Picker {
  const weights = weightsOf(members);
  const draw = drawByWeight(weights, random);

  return (_turn, _key, load) => {
    const one = draw(load, -1);
    if (one === -1) return -1;
    const other = draw(load, one);
    if (other === -1) return one;
    return fullness(other, weights, load) < fullness(one, weights, load) ? other : one;
  };
}
