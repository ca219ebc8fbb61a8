/**
 * The contract of a load-balancing algorithm.
 *
 * An algorithm builds a picker from the members that may be picked, once, whenever that set or a weight changes; a pick
 * is then a look-up. It is pure: turns, keys, loads and randomness come in, and the position of a member comes out.
 */

/** A member that may be picked. */
export interface Member {
  /** What it is known by: two balancers with the same names decide alike. */
  readonly name: string;
  /** A whole number of at least 1: its share beside the others. */
  readonly weight: number;
}

/** What a picker may ask about members, by position, while it picks. */
export interface Load {
  /** Sessions that the member has now. */
  active(member: number): number;
  /** Whether it can take one more session and has not been tried for this one. */
  isFree(member: number): boolean;
}

/**
 * Picks a member.
 *
 * @param turn Counts the picks of the pool, over all workers; wraps around at 2^32.
 * @param key What stays the same for sessions that belong together: 32 bits, as a number of at least 0.
 * @return The position of a member that is free, or -1 when none is.
 */
export type Picker = (turn: number, key: number, load: Load) => number;

/**
 * Builds a picker.
 *
 * @param members In the order of the configuration; may be none.
 * @param random From 0 to 1, 1 excluded.
 */
export type Algorithm = (members: readonly Member[], random: () => number) => Picker;
