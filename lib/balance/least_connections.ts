import { fullness } from "./fullness.ts";
import type { Member, Picker } from "./picker.ts";
import { weightsOf } from "./weights.ts";

/**
 * The member with the fewest sessions for its weight. Several that are equally empty are taken in turn.
 *
 * O(members): each costs some 15 to 30 ns while counts are in shared memory, so ten are nothing beside the system calls
 * of a session, and a thousand are up to 30 µs of it. A heap would have to follow each session of each worker, and be
 * locked between them.
 */
export function leastConnections(members: readonly Member[]): Picker {
  const weights = weightsOf(members);
  // Kept between picks so that none allocates; a pick is one synchronous step.
  const emptiest = new Uint32Array(members.length);

  return (turn, _key, load) => {
    let least = Infinity;
    let ties = 0;
    for (let i = 0; i < weights.length; i++) {
      const full = fullness(i, weights, load);
      if (full > least || !load.isFree(i)) continue;
      if (full < least) [least, ties] = [full, 0];
      emptiest[ties++] = i;
    }
    return ties === 0 ? -1 : emptiest[turn % ties] ?? -1;
  };
}
