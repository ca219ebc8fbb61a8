/** Histograms with fixed bounds, as parts of a larger row of numbers: a cell a bucket, one for what is beyond, one for the sum. */

/** Upper bounds in seconds, ends included: from what a dial on the same machine takes to what a long session lasts. */
export const BOUNDS_SECONDS = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  ...[1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600],
] as const;

/** How many cells a histogram takes. */
export const HISTOGRAM_CELLS = BOUNDS_SECONDS.length + 2;

/** Adds one observation to the histogram that begins at `offset`. */
export function observe(cells: Float64Array, offset: number, seconds: number): void {
  let bucket = 0;
  while (bucket < BOUNDS_SECONDS.length && seconds > (BOUNDS_SECONDS[bucket] ?? 0)) bucket++;
  cells[offset + bucket] = (cells[offset + bucket] ?? 0) + 1;
  const sum = offset + HISTOGRAM_CELLS - 1;
  cells[sum] = (cells[sum] ?? 0) + seconds;
}

/** What a histogram holds. */
export interface HistogramView {
  /** Observations up to each bound, cumulative, then all of them. */
  readonly cumulative: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
}

/** Reads the histogram that begins at `offset`. */
export function viewHistogram(cells: Float64Array, offset: number): HistogramView {
  const cumulative: number[] = [];
  let count = 0;
  for (let bucket = 0; bucket <= BOUNDS_SECONDS.length; bucket++) {
    count += cells[offset + bucket] ?? 0;
    cumulative.push(count);
  }
  return { cumulative, count, sumSeconds: cells[offset + HISTOGRAM_CELLS - 1] ?? 0 };
}
