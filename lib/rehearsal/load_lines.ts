/** What the load says of itself, as lines of a timeline. Pure. */

import { ERROR_KINDS } from "../load/error_kind.ts";
import type { Figures } from "../load/figures.ts";
import { count, percent, time } from "../load/numbers.ts";

/** The end of a load. */
export function endLine(figures: Figures, unsent: number): string {
  const answers = `${count(figures.requests)} answer${figures.requests === 1 ? "" : "s"}`;
  const left = unsent === 0 ? "" : `, ${count(unsent)} due and without a free connection`;
  return `the load is over: ${answers}, ${errorsText(figures)}${left}`;
}

/** What was measured, whether or not it is bound to anything. */
export function summaryLines(
  { requests, latencies, backends }: Figures,
  servers: readonly string[],
): string[] {
  if (requests === 0) return [];
  const { p50, p90, p99, max } = latencies.statistics();
  const times = Object.entries({ p50, p90, p99, max }).map(([name, ms]) => `${name} ${time(ms)}`);
  const shares = servers.map((name) => `${name} ${percent((backends.get(name) ?? 0) / requests)}`);
  return [times, shares].map((it) => it.join(", "));
}

/** `3 errors (2 reset, 1 short)`. */
export function errorsText({ errors, errorCount }: Figures): string {
  const kinds = ERROR_KINDS.filter((kind) => errors[kind] > 0)
    .map((kind) => `${count(errors[kind])} ${kind.replace("_", " ")}`);
  if (errorCount === 0) return "no error";
  return `${count(errorCount)} error${errorCount === 1 ? "" : "s"} (${kinds.join(", ")})`;
}
