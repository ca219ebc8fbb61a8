/** The load-balancing algorithms that a pool can name. */
export const ALGORITHMS = [
  "round_robin",
  "least_connections",
  "random_two",
  "random",
  "first",
  "maglev",
] as const;

/** One of {@linkcode ALGORITHMS}. */
export type AlgorithmName = typeof ALGORITHMS[number];
