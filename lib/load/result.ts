/** What a run has come to, in the form that programs read. Pure. */

import type { ErrorCounts } from "./figures.ts";
import type { TimeStatistics } from "./latencies.ts";
import type { LoadResult } from "./run_load.ts";

/** In milliseconds. */
export interface JsonTimes {
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly "p99.9": number;
  readonly max: number;
}

export interface JsonReport {
  readonly requests: number;
  readonly errors: ErrorCounts;
  readonly unsent: number;
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly duration_s: number;
  readonly requests_per_second: number;
  readonly latency_ms: JsonTimes;
  readonly connect_ms: JsonTimes;
  readonly connections_opened: number;
  readonly backends: Readonly<Record<string, number>>;
  readonly other_backends: number;
}

export function jsonReport({ figures, durationMs, unsent }: LoadResult): JsonReport {
  const seconds = durationMs / 1_000;
  return {
    requests: figures.requests,
    errors: figures.errors,
    unsent,
    bytes: { sent: figures.sentBytes, received: figures.receivedBytes },
    duration_s: rounded(seconds),
    requests_per_second: seconds === 0 ? 0 : rounded(figures.requests / seconds),
    latency_ms: jsonTimes(figures.latencies.statistics()),
    connect_ms: jsonTimes(figures.connects.statistics()),
    connections_opened: figures.connects.count,
    backends: Object.fromEntries([...figures.backends].sort(([one], [other]) => one < other ? -1 : 1)),
    other_backends: figures.otherBackends,
  };
}

function jsonTimes({ p999, max, ...others }: TimeStatistics): JsonTimes {
  const { min, mean, p50, p90, p95, p99 } = others;
  const times = { min, mean, p50, p90, p95, p99, "p99.9": p999, max };
  return Object.fromEntries(
    Object.entries(times).map(([name, ms]) => [name, rounded(ms)]),
  ) as unknown as JsonTimes;
}

/** To the microsecond, in milliseconds and in seconds alike. */
function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
