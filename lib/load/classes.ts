/** Times in classes for a drawing. Pure. */

import type { CountedTimes } from "./latencies.ts";

const NS_PER_MS = 1e6;

/** Bounds in a power of ten, and how many classes they may make: more rows do not make a drawing clearer. */
const SCALES: readonly { readonly steps: readonly number[]; readonly most: number }[] = [
  { steps: [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8], most: 10 },
  { steps: [1, 1.5, 2, 3, 4, 5, 7], most: 10 },
  { steps: [1, 2, 5], most: 16 },
  { steps: [1], most: Infinity },
];

export interface TimeClass {
  /** Longer than this, and no longer than the other. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
}

/** From the first class with something in it to the last, as finely as there is room for. */
export function classesOf({ ns, counts }: CountedTimes): TimeClass[] {
  if (ns.length === 0) return [];
  const [shortest = 0] = ns;
  const longest = ns.at(-1) ?? 0;
  for (const { steps, most } of SCALES) {
    const bounds = boundsBetween(shortest / NS_PER_MS, longest / NS_PER_MS, steps);
    if (bounds.length - 1 <= most) return fill(bounds, ns, counts);
  }
  return [];
}

function boundsBetween(shortestMs: number, longestMs: number, steps: readonly number[]): number[] {
  const bounds: number[] = [];
  for (let power = Math.floor(Math.log10(shortestMs)) - 1;; power++) {
    for (const step of steps) {
      // As it is written, without the error of the multiplication.
      const bound = Number((step * 10 ** power).toPrecision(3));
      if (bound < shortestMs) bounds.length = 0;
      bounds.push(bound);
      if (bound >= longestMs && bounds.length > 1) return bounds;
    }
  }
}

function fill(bounds: readonly number[], ns: Float64Array, counts: Float64Array): TimeClass[] {
  const classes: TimeClass[] = [];
  let i = 0;
  for (let k = 1; k < bounds.length; k++) {
    const toMs = bounds[k] ?? Infinity;
    let count = 0;
    for (; i < ns.length && ((ns[i] ?? 0) <= toMs * NS_PER_MS || k === bounds.length - 1); i++) {
      count += counts[i] ?? 0;
    }
    classes.push({ fromMs: bounds[k - 1] ?? 0, toMs, count });
  }
  return classes;
}
