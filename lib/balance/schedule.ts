/** Who has which turn: one period of a weighted round robin, worked out in advance. */

import { reduced, type Weights } from "./weights.ts";

/** The longest period; 1,000 members with weights of up to 256 need less. It takes 1 MiB. */
const MAX_PERIOD = 2 ** 18;

/** Turns times members up to which the smooth schedule is built: some 10 ms of work. */
const MAX_SMOOTH_STEPS = 4_000_000;

export interface Schedule {
  /** The positions of the members, turn by turn; empty when there are none. */
  readonly turns: Uint32Array;
  /** How many turns each member has in it. */
  readonly shares: Weights;
}

/**
 * Works out the schedule: as many turns for each member as its weight says, spread over the period.
 *
 * Shares are exact. Only where their sum, after division by what they have in common, is beyond 2^18, are they rounded
 * to it.
 */
export function scheduleOf(weights: Weights): Schedule {
  const shares = shortened(reduced(weights));
  const period = sum(shares);
  // Members in their order are the schedule of equal weights, whichever way it is built.
  if (period === shares.length) return { turns: Uint32Array.from(shares.keys()), shares };
  const isSmall = period * shares.length <= MAX_SMOOTH_STEPS;
  return { turns: isSmall ? smooth(shares, period) : spaced(shares, period), shares };
}

/**
 * Smooth weighted round robin (nginx, ngx_http_upstream_round_robin.c): 5, 1, 1 give a a b a c a a.
 *
 * With each turn everybody's credit grows by its share; who has the most, of equals the first, gets the turn and pays a
 * whole period for it.
 */
function smooth(shares: Weights, period: number): Uint32Array {
  const turns = new Uint32Array(period);
  const credits = new Float64Array(shares.length);
  for (let turn = 0; turn < period; turn++) {
    let best = 0;
    let bestCredit = -Infinity;
    for (let i = 0; i < shares.length; i++) {
      const credit = (credits[i] ?? 0) + (shares[i] ?? 0);
      credits[i] = credit;
      if (credit > bestCredit) [best, bestCredit] = [i, credit];
    }
    turns[turn] = best;
    credits[best] = bestCredit - period;
  }
  return turns;
}

/**
 * The turns of each member at equal distances, (k + 0.5) / share of the period; of equals the first comes first.
 *
 * Not as smooth where the smooth one would take too long, and O(period): turns are counted into as many intervals as
 * there are turns, and laid out from there.
 */
function spaced(shares: Weights, period: number): Uint32Array {
  const next = new Uint32Array(period + 1);
  const intervalOf = (k: number, share: number): number => Math.floor((k + 0.5) / share * period);
  for (const share of shares) {
    for (let k = 0; k < share; k++) increment(next, intervalOf(k, share) + 1);
  }
  for (let i = 1; i < period; i++) next[i] = (next[i] ?? 0) + (next[i - 1] ?? 0);

  const turns = new Uint32Array(period);
  shares.forEach((share, member) => {
    for (let k = 0; k < share; k++) turns[increment(next, intervalOf(k, share))] = member;
  });
  return turns;
}

/** Adds one and returns what was there before. */
function increment(counts: Uint32Array, i: number): number {
  const before = counts[i] ?? 0;
  counts[i] = before + 1;
  return before;
}

/** The same proportions, rounded, within the longest period; everybody keeps at least one turn. */
function shortened(shares: Weights): Weights {
  const factor = MAX_PERIOD / sum(shares);
  return factor >= 1 ? shares : shares.map((share) => Math.max(1, Math.floor(share * factor)));
}

function sum(shares: Weights): number {
  return shares.reduce((total, share) => total + share, 0);
}
