/** Times of a run, kept as counts: to a thousandth of each, in a fixed amount of memory. */

import { Float64Histogram } from "hdr-histogram-js";

/** Times are counted in nanoseconds: integers, as the library wants them. */
const NS_PER_MS = 1e6;

/** A longer time, of a day, is counted as this. */
const MAX_NS = 86_400_000 * NS_PER_MS;

const SIGNIFICANT_DIGITS = 3;

/** The shortest times are told apart by as much: finer than they are measured, and coarse enough for a small table. */
const STEP_NS = 64;

/** Times and how often each was counted; goes from thread to thread. */
export interface CountedTimes {
  readonly ns: Float64Array;
  readonly counts: Float64Array;
}

/** In milliseconds; all 0 when nothing was counted. */
export interface TimeStatistics {
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class Latencies {
  readonly #histogram = new Float64Histogram(STEP_NS, MAX_NS, SIGNIFICANT_DIGITS);

  get count(): number {
    return this.#histogram.totalCount;
  }

  add(ms: number): void {
    this.#histogram.recordValue(Math.min(MAX_NS, Math.max(STEP_NS, Math.round(ms * NS_PER_MS))));
  }

  addAll({ ns, counts }: CountedTimes): void {
    for (const [i, value] of ns.entries()) this.#histogram.recordValueWithCount(value, counts[i] ?? 0);
  }

  /** What was counted since the last time. */
  take(): CountedTimes {
    const counted = this.counted();
    this.#histogram.reset();
    return counted;
  }

  counted(): CountedTimes {
    const histogram = this.#histogram;
    const ns: number[] = [];
    const counts: number[] = [];
    if (this.count > 0) {
      // The library's own iterator takes a hundred times as long, in which a thread makes no load.
      const { minNonZeroValue, maxValue } = histogram;
      const [first, last] = [
        histogram.countsArrayIndex(minNonZeroValue),
        histogram.countsArrayIndex(maxValue),
      ];
      for (let i = first; i <= last; i++) {
        const count = histogram.getCountAtIndex(i);
        if (count === 0) continue;
        // The ends are known exactly, and those of a whole are those of its parts.
        const middle = histogram.medianEquivalentValue(histogram.valueFromIndex(i));
        ns.push(i === last ? maxValue : i === first ? minNonZeroValue : middle);
        counts.push(count);
      }
    }
    return { ns: new Float64Array(ns), counts: new Float64Array(counts) };
  }

  /** @param percent Above 0. */
  percentileMs(percent: number): number {
    if (this.count === 0) return 0;
    const { minNonZeroValue: min, maxValue: max } = this.#histogram;
    return Math.min(max, Math.max(min, this.#histogram.getValueAtPercentile(percent))) / NS_PER_MS;
  }

  statistics(): TimeStatistics {
    const { minNonZeroValue: min, maxValue: max, mean } = this.#histogram;
    const isEmpty = this.count === 0;
    return {
      min: isEmpty ? 0 : min / NS_PER_MS,
      mean: isEmpty ? 0 : Math.min(max, Math.max(min, mean)) / NS_PER_MS,
      p50: this.percentileMs(50),
      p90: this.percentileMs(90),
      p95: this.percentileMs(95),
      p99: this.percentileMs(99),
      p999: this.percentileMs(99.9),
      max: isEmpty ? 0 : max / NS_PER_MS,
    };
  }
}
