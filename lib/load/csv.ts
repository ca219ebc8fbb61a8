/** A run as a table: a row for each of its seconds. Pure. */

import { ERROR_KINDS } from "./error_kind.ts";
import type { Second } from "./seconds.ts";

const LATENCIES = ["p50", "p90", "p99", "p99.9", "max"] as const;

export const CSV_HEADER: string = [
  "second",
  "requests",
  ...ERROR_KINDS,
  "sent_bytes",
  "received_bytes",
  "open",
  ...LATENCIES.map((name) => `latency_${name}_ms`),
].join(",");

/** The row of a second; where nothing was answered, its latencies are empty. */
export function csvRow({ number, figures, open }: Second): string {
  const { p50, p90, p99, p999, max } = figures.latencies.statistics();
  return [
    number + 1,
    figures.requests,
    ...ERROR_KINDS.map((kind) => figures.errors[kind]),
    figures.sentBytes,
    figures.receivedBytes,
    open,
    ...[p50, p90, p99, p999, max].map((ms) => figures.latencies.count === 0 ? "" : ms.toFixed(3)),
  ].join(",");
}
