/** Two runs beside each other. Pure. */

import { ERROR_KINDS } from "./error_kind.ts";
import { count, milliseconds, size } from "./numbers.ts";
import type { JsonReport } from "./result.ts";

interface Line {
  readonly label: string;
  readonly of: (report: JsonReport) => number;
  readonly format: (value: number) => string;
}

const TIMES = ["min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"] as const;

const LINES: readonly Line[] = [
  { label: "requests", of: ({ requests }) => requests, format: count },
  { label: "requests/s", of: (it) => it.requests_per_second, format: count },
  ...ERROR_KINDS.map((kind) => ({
    label: `errors, ${kind.replace("_", " ")}`,
    of: ({ errors }: JsonReport) => errors[kind],
    format: count,
  })),
  { label: "unsent", of: ({ unsent }) => unsent, format: count },
  { label: "sent/s", of: (it) => perSecond(it, it.bytes.sent), format: size },
  { label: "received/s", of: (it) => perSecond(it, it.bytes.received), format: size },
  ...TIMES.map((name) => ({
    label: `latency ${name}, ms`,
    of: (it: JsonReport) => it.latency_ms[name],
    format: milliseconds,
  })),
  ...TIMES.map((name) => ({
    label: `connect ${name}, ms`,
    of: (it: JsonReport) => it.connect_ms[name],
    format: milliseconds,
  })),
];

function perSecond({ duration_s }: JsonReport, value: number): number {
  return duration_s === 0 ? 0 : value / duration_s;
}

/** The lines of a table: what each run has come to, and by how much the second differs. What is 0 in both is left out. */
export function comparisonText(
  names: readonly [string, string],
  runs: readonly [JsonReport, JsonReport],
): string {
  const [one, other] = runs;
  const rows = [
    ["", ...names.map(lastPart), "change"],
    ...LINES.flatMap(({ label, of, format }) => {
      const [before, after] = [of(one), of(other)];
      return before === 0 && after === 0
        ? []
        : [[label, format(before), format(after), change(before, after)]];
    }),
    ...backendRows(one, other),
  ];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) => {
    const cells = row.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0));
    return `${cells.join("  ").trimEnd()}\n`;
  }).join("");
}

function backendRows(one: JsonReport, other: JsonReport): string[][] {
  const names = [...new Set([...Object.keys(one.backends), ...Object.keys(other.backends)])].sort();
  return names.map((name) => {
    const [before, after] = [one.backends[name] ?? 0, other.backends[name] ?? 0];
    return [`backend ${name}`, count(before), count(after), change(before, after)];
  });
}

/** `+12.3 %`; of nothing there is no part. */
export function change(before: number, after: number): string {
  if (before === after) return "0.0 %";
  if (before === 0) return "new";
  const part = (after - before) / before * 100;
  return `${part > 0 ? "+" : ""}${part.toFixed(1)} %`;
}

/** A path is cut to the end that tells files apart. */
function lastPart(path: string): string {
  return path.length <= 20 ? path : `…${path.slice(-19)}`;
}

/**
 * Reads what `--json` has written.
 *
 * @return Undefined when it is something else.
 */
export function readJsonReport(text: string): JsonReport | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isReport(value) ? value : undefined;
}

function isReport(value: unknown): value is JsonReport {
  const of = (value: unknown, names: readonly string[]): boolean =>
    isObject(value) && names.every((name) => isCount(value[name]));
  return isObject(value) && of(value, ["requests", "requests_per_second", "duration_s", "unsent"]) &&
    of(value.errors, ERROR_KINDS) && of(value.bytes, ["sent", "received"]) &&
    of(value.latency_ms, TIMES) && of(value.connect_ms, TIMES) &&
    isObject(value.backends) &&
    Object.entries(value.backends).every(([name, count]) => isCount(count) && !/\p{Cc}/u.test(name));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
