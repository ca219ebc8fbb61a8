import { drawByWeight } from "./draw.ts";
import type { Member, Picker } from "./picker.ts";
import { weightsOf } from "./weights.ts";

/** Any member, in proportion to weight. */
export function random(members: readonly Member[], source: () => number): Picker {
  const draw = drawByWeight(weightsOf(members), source);
  return (_turn, _key, load) => draw(load, -1);
}
