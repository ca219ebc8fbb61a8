/** What is said while a run goes on. Pure. */

import { formatDuration } from "../core/duration.ts";
import { count, time } from "./numbers.ts";
import type { LoadPlan } from "./plan.ts";
import type { Second } from "./seconds.ts";

/** The figures of a second in one line, at most so wide: what matters least is left out first. */
export function progressText(
  { durationMs, requests, hold }: Pick<LoadPlan, "durationMs" | "requests" | "hold">,
  { number, figures, total, open }: Second,
  width: number,
): string {
  const whole = durationMs === Infinity ? "" : ` of ${formatDuration(durationMs)}`;
  const { latencies } = figures;
  const parts = [
    `${formatDuration((number + 1) * 1_000)}${whole}`,
    ...(hold ? [] : [`${count(figures.requests)}/s`]),
    `${count(total.errorCount)} error${total.errorCount === 1 ? "" : "s"}`,
    ...(hold ? [] : [`p99 ${latencies.count === 0 ? "-" : time(latencies.percentileMs(99))}`]),
    `${count(open)} open`,
    ...(requests === Infinity
      ? []
      : [`${count(total.requests + total.errorCount)} of ${count(requests)} requests`]),
  ];
  while (parts.length > 1 && parts.join("  ").length > width) parts.pop();
  return parts.join("  ").slice(0, Math.max(0, width));
}
