/** The table of maglev: which member has which slot. */

import { hashText } from "./hash.ts";
import type { Member } from "./picker.ts";

/** Two seeds for two hashes of one name that have nothing to do with each other. */
const START_SEED = 0;
const STRIDE_SEED = 1;

const NOBODY = -1;

/**
 * Shares the slots of a table out among the members (Eisenbud et al., Maglev: A Fast and Reliable Software Network Load
 * Balancer, NSDI 2016, section 3.4).
 *
 * Every member has its own order of all slots, a start and a stride from its name. They take turns, and whose turn it
 * is takes the first free slot of its order. So every member gets its share to within one slot, and when one
 * leaves, most others keep theirs. Members take turns as often as their weights say, as in Envoy
 * (https://github.com/envoyproxy/envoy, maglev_lb.cc).
 *
 * @param members At least one. Their order does not matter: it is by weight, then by name.
 * @param size How many slots: a prime, so that any stride meets all of them; some 100 a member for even shares.
 * @return The position of the member that has the slot, by slot.
 */
export function maglevTable(members: readonly Member[], size: number): Int32Array {
  const next = Int32Array.from(members, (member) => hashText(member.name, START_SEED) % size);
  const strides = Int32Array.from(members, (member) => 1 + hashText(member.name, STRIDE_SEED) % (size - 1));
  const groups = byWeight(members);
  const heaviest = groups[0]?.weight ?? 1;

  const table = new Int32Array(size).fill(NOBODY);
  let left = size;
  for (let round = 1;; round++) {
    for (const group of groups) {
      if (round * group.weight < group.due) continue;
      group.due += heaviest;
      for (const position of group.positions) {
        const stride = strides[position] ?? 1;
        let slot = next[position] ?? 0;
        while (table[slot] !== NOBODY) {
          slot += stride;
          if (slot >= size) slot -= size;
        }
        table[slot] = position;
        next[position] = slot;
        if (--left === 0) return table;
      }
    }
  }
}

/** Positions in an order that only names decide. */
export function byName(members: readonly Member[]): number[] {
  const name = (position: number): string => members[position]?.name ?? "";
  // By code unit: how a locale sorts differs between machines.
  return [...members.keys()].sort((a, b) => name(a) < name(b) ? -1 : Number(name(a) > name(b)));
}

/** Members of one weight, who have their turns in the same rounds. */
interface WeightGroup {
  readonly weight: number;
  readonly positions: readonly number[];
  /** What round times weight has to reach until they have their next turn. */
  due: number;
}

/** The heaviest first. A round asks each group and not each member, of which most may have to wait for long. */
function byWeight(members: readonly Member[]): WeightGroup[] {
  const groups = Map.groupBy(byName(members), (position) => members[position]?.weight ?? 1);
  return [...groups].map(([weight, positions]) => ({ weight, positions, due: 0 }))
    .sort((a, b) => b.weight - a.weight);
}
