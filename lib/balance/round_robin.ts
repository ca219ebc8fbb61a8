import type { Member, Picker } from "./picker.ts";
import { scheduleOf } from "./schedule.ts";
import { freeMemberAt, freeWeight, weightsOf } from "./weights.ts";

/**
 * Each member in turn, as often as its weight says, and never many times in a row.
 *
 * A pick is a look-up by the turn, which all workers share: so the order is exact over all of them. It begins anew when
 * turns wrap around at 2^32.
 */
export function roundRobin(members: readonly Member[]): Picker {
  const { turns, shares } = scheduleOf(weightsOf(members));
  const period = turns.length;

  return (turn, _key, load) => {
    if (period === 0) return -1;
    const place = turn % period;
    const member = turns[place] ?? 0;
    if (load.isFree(member)) return member;
    // Its turn goes to another with each period, so that over time all the free have their part of it, and not its
    // neighbour alone; and of several turns that are lost in one period, each goes to another.
    const free = freeWeight(shares, load, -1);
    return free === 0 ? -1 : freeMemberAt(shares, load, (Math.floor(turn / period) + place) % free, -1);
  };
}
