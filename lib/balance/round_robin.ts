import type { Picker } from "./picker.ts";

/**
 * Each member in turn. A member that was tried already passes its turn to the next one.
 *
 * @param members In the order of their turns.
 */
export function roundRobin<Member>(members: readonly Member[]): Picker<Member> {
  return (turn, tried) => {
    for (let step = 0; step < members.length; step++) {
      const member = members[(turn + step) % members.length];
      if (member !== undefined && !tried.includes(member)) return member;
    }
    return undefined;
  };
}
