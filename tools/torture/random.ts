/** Chance that a seed repeats. */
export interface Random {
  /** From 0 to 1, 1 excluded. */
  next(): number;
  /** A whole number below `limit`. */
  below(limit: number): number;
  /** One of these. */
  of<T>(things: readonly [T, ...T[]]): T;
}

/** Mulberry32: small, fast and good enough to choose faults with. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { next, below, of: (things) => things[below(things.length)] ?? things[0] };
}
