import { first } from "./first.ts";
import { leastConnections } from "./least_connections.ts";
import { maglev } from "./maglev.ts";
import type { Algorithm } from "./picker.ts";
import { random } from "./random.ts";
import { randomTwo } from "./random_two.ts";
import { roundRobin } from "./round_robin.ts";

/** The algorithms by the names that a configuration calls them. */
export const algorithms = {
  round_robin: roundRobin,
  least_connections: leastConnections,
  random_two: randomTwo,
  random,
  first,
  maglev,
} satisfies Record<string, Algorithm>;

export type AlgorithmName = keyof typeof algorithms;
