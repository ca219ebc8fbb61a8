/**
 * The contract of a load-balancing algorithm.
 *
 * An algorithm builds a picker from the members that may be picked, once, when that set changes; a pick is then a
 * look-up. It is pure: turns come in as numbers, so that all workers together follow one order.
 */

/**
 * Picks one member.
 *
 * @param turn Counts the picks of the pool, over all workers; wraps around at 2^32.
 * @param tried Members that this session has dialled in vain.
 * @return The member, or undefined when every one has been tried.
 */
export type Picker<Member> = (turn: number, tried: readonly Member[]) => Member | undefined;
