import { byName, maglevTable } from "./maglev_table.ts";
import type { Load, Member, Picker } from "./picker.ts";

/** Built in some 4 ms. */
const SMALL_TABLE = 65_537;

/** 2.5 MiB, built in 40 to 60 ms; with so many members, the small one would move too many keys when one leaves. */
const LARGE_TABLE = 655_373;
const SMALL_TABLE_MEMBERS = 600;

/** Slots that are tried after one whose member is not free; enough, practically always, while a tenth of them is. */
const NEXT_SLOTS = 64;

/**
 * The member that has the key's slot in the maglev table: the same for the same key, in every balancer with the same
 * names, and for most keys also after another member has come or gone.
 *
 * The keys of a member that is not free go to all others in proportion to weight, and back when it is free again.
 */
export function maglev(members: readonly Member[]): Picker {
  const { length } = members;
  if (length === 0) return () => -1;
  const size = length > SMALL_TABLE_MEMBERS ? LARGE_TABLE : SMALL_TABLE;
  const table = maglevTable(members, size);
  const sorted = Uint32Array.from(byName(members));

  return (_turn, key, load) => {
    let slot = key % size;
    if (load.isFree(table[slot] ?? 0)) return table[slot] ?? 0;
    // Each key goes on in steps of its own. The table is regular: from one slot to the next, all keys of one member
    // would run to some of the others more than to the rest, up to a quarter more in a pool of five.
    const stride = 1 + Math.floor(key / size);
    for (let tries = 0; tries < NEXT_SLOTS; tries++) {
      slot = (slot + stride) % size;
      const member = table[slot] ?? 0;
      if (load.isFree(member)) return member;
    }
    return anyFree(sorted, key, load);
  };
}

/** The first that is free from a place that depends on the key, so that not all keys run to the same member. */
function anyFree(sorted: Uint32Array, key: number, load: Load): number {
  let place = key % sorted.length;
  for (let step = 0; step < sorted.length; step++) {
    const member = sorted[place] ?? 0;
    if (load.isFree(member)) return member;
    if (++place === sorted.length) place = 0;
  }
  return -1;
}
