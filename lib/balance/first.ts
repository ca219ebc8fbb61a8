import type { Member, Picker } from "./picker.ts";

/**
 * The first member that is free, in the order of the configuration; weights do not count.
 *
 * With a limit of sessions for each member, one is filled before the next is used, so that the last ones can rest.
 */
export function first(members: readonly Member[]): Picker {
  const count = members.length;
  return (_turn, _key, load) => {
    for (let i = 0; i < count; i++) if (load.isFree(i)) return i;
    return -1;
  };
}
