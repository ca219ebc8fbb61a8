/** What pickers are tried with: members, their sessions, and chance that is the same each time. */

import type { Load, Member, Picker } from "../../lib/balance/picker.ts";

/** Members 10.0.0.1:8001, 10.0.0.2:8001 and so on, by their weights. */
export function membersOf(...weights: number[]): Member[] {
  return weights.map((weight, i) => ({ name: `10.0.${(i + 1) >> 8}.${(i + 1) & 255}:8001`, weight }));
}

/** That many members with a weight of 1. */
export function equalMembers(count: number): Member[] {
  return membersOf(...Array.from({ length: count }, () => 1));
}

/** Everybody is free and has nothing to do. */
export const IDLE: Load = { active: () => 0, isFree: () => true };

/** Only these positions are free. */
export function onlyFree(...free: number[]): Load {
  const members = new Set(free);
  return { active: () => 0, isFree: (member) => members.has(member) };
}

/** Everybody is free and has so many sessions. */
export function busy(...active: number[]): Load {
  return { active: (member) => active[member] ?? NaN, isFree: () => true };
}

/** Sessions that are kept count of, as a pool does it. */
export class Sessions implements Load {
  readonly counts: number[];
  readonly #limits: readonly number[];
  #turn = 0;

  /** @param limits The most sessions of each member at once. */
  constructor(limits: readonly number[]) {
    this.#limits = limits;
    this.counts = limits.map(() => 0);
  }

  active(member: number): number {
    return this.counts[member] ?? 0;
  }

  isFree(member: number): boolean {
    return this.active(member) < (this.#limits[member] ?? 0);
  }

  /** Picks with the next turn and takes a slot of the member; -1 when there is none. */
  begin(pick: Picker, key = 0): number {
    const member = pick(this.#turn++, key, this);
    if (member !== -1) this.counts[member] = this.active(member) + 1;
    return member;
  }

  end(member: number): void {
    this.counts[member] = this.active(member) - 1;
  }
}

/** Limits that nobody reaches. */
export function unlimited(members: number): number[] {
  return Array.from({ length: members }, () => Infinity);
}

/** What is picked in so many turns, from `start` on. */
export function picks(pick: Picker, turns: number, load: Load = IDLE, start = 0): number[] {
  return Array.from({ length: turns }, (_, i) => pick(start + i, 0, load));
}

/** How often each of so many members is among the picked. */
export function tally(picked: Iterable<number>, members: number): number[] {
  const counts = Array.from({ length: members }, () => 0);
  for (const member of picked) counts[member] = (counts[member] ?? NaN) + 1;
  return counts;
}

/** The same random numbers for the same seed (mulberry32, Tommy Ettinger, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}
