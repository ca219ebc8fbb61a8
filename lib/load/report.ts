/** The report of a run as text. Pure. */

import { formatDuration } from "../core/duration.ts";
import { barLines } from "./bars.ts";
import { classesOf } from "./classes.ts";
import { ERROR_KINDS, type ErrorKind } from "./error_kind.ts";
import type { Figures } from "./figures.ts";
import type { Latencies } from "./latencies.ts";
import { count, milliseconds, percent, size, time } from "./numbers.ts";
import type { LoadPlan } from "./plan.ts";
import type { LoadResult } from "./run_load.ts";

export interface ReportStyle {
  /** Columns of the terminal. */
  readonly width: number;
  readonly isColoured: boolean;
}

export interface Described {
  readonly plan: LoadPlan;
  /** Whom it has loaded, as the user wrote it. */
  readonly target: string;
  readonly engine: string;
  readonly workers: number;
}

/** Select graphic rendition (ECMA-48). */
const [BOLD, RED, GREEN, CYAN] = [1, 31, 32, 36];

const KIND_TEXTS: Readonly<Record<ErrorKind, string>> = {
  refused: "refused",
  reset: "reset",
  timed_out: "timed out",
  short: "short",
  corrupt: "corrupt",
  other: "other",
};

/** Lines, each ended. */
export function reportText(run: Described, result: LoadResult, style: ReportStyle): string {
  const { figures } = result;
  const paint = (code: number) => (text: string): string =>
    style.isColoured && text !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  const { plan } = run;
  return [
    ...headline(run, style.width, paint(BOLD)),
    "",
    ...(plan.hold ? heldLines(result) : requestLines(result)),
    ...errorLines(figures, paint(figures.errorCount > 0 ? RED : GREEN)),
    ...unsentLines(result),
    "",
    ...timeLines(figures),
    ...section("latency", latencyBars(figures, style, paint(CYAN)), paint(BOLD)),
    ...section("backends", backendBars(figures, style, paint(GREEN)), paint(BOLD)),
  ].map((line) => `${line.trimEnd()}\n`).join("");
}

function headline(run: Described, width: number, bold: (text: string) => string): string[] {
  const { plan, target, engine, workers } = run;
  const how = [
    `${count(plan.connections)} connection${plan.connections === 1 ? "" : "s"}${
      plan.newConnection ? " at once, one a request" : ""
    }`,
    ...(plan.hold ? ["held"] : [plan.rate === 0 ? "closed loop" : `open loop at ${count(plan.rate)}/s`]),
    ...(plan.pipeline > 1 ? [`pipeline ${plan.pipeline}`] : []),
    ...(plan.rampMs > 0 ? [`ramp ${formatDuration(plan.rampMs)}`] : []),
    ...(plan.tls === undefined ? [] : ["TLS"]),
    ...(plan.proxyProtocol === undefined ? [] : [`PROXY ${plan.proxyProtocol}`]),
    `engine ${engine}`,
    ...(workers > 1 ? [`${workers} workers`] : []),
  ];
  const lines: string[] = [];
  let line = "";
  for (const part of how) {
    const longer = line === "" ? `  ${part}` : `${line}, ${part}`;
    if (longer.length < width || line === "") line = longer;
    else {
      lines.push(`${line},`);
      line = `  ${part}`;
    }
  }
  return [bold(target), ...lines, line];
}

function requestLines({ figures, durationMs }: LoadResult): string[] {
  const seconds = durationMs / 1_000;
  const perSecond = (value: number): number => seconds === 0 ? 0 : value / seconds;
  return [
    `requests   ${count(figures.requests)} in ${time(durationMs)}: ${count(perSecond(figures.requests))}/s`,
    `sent       ${size(figures.sentBytes)}: ${size(perSecond(figures.sentBytes))}/s`,
    `received   ${size(figures.receivedBytes)}: ${size(perSecond(figures.receivedBytes))}/s`,
  ];
}

function heldLines({ figures, durationMs }: LoadResult): string[] {
  return [
    `held       ${count(figures.connects.count)} ${
      figures.connects.count === 1 ? "connection was" : "connections were"
    } opened, for ${time(durationMs)}`,
  ];
}

function errorLines(figures: Figures, paint: (text: string) => string): string[] {
  const kinds = ERROR_KINDS.filter((kind) => figures.errors[kind] > 0)
    .map((kind) => `${KIND_TEXTS[kind]} ${count(figures.errors[kind])}`);
  const all = `errors     ${count(figures.errorCount)}${kinds.length === 0 ? "" : `: ${kinds.join(", ")}`}`;
  return [paint(all), ...(figures.reason === undefined ? [] : [`           other: ${figures.reason}`])];
}

function unsentLines({ unsent }: LoadResult): string[] {
  if (unsent === 0) return [];
  return [`unsent     ${count(unsent)}: due, and without a free connection by the end`];
}

const COLUMNS = ["min", "mean", "p50", "p90", "p99", "p99.9", "max"] as const;
const LABEL_WIDTH = 9;
const COLUMN_WIDTH = 9;

/** Fits 72 columns. */
function timeLines(figures: Figures): string[] {
  const row = (label: string, cells: readonly string[]): string =>
    label.padEnd(LABEL_WIDTH) + cells.map((cell) => cell.padStart(COLUMN_WIDTH)).join("");
  const times = (label: string, latencies: Latencies): string[] => {
    if (latencies.count === 0) return [];
    const { min, mean, p50, p90, p99, p999, max } = latencies.statistics();
    return [row(label, [min, mean, p50, p90, p99, p999, max].map(milliseconds))];
  };
  const rows = [...times("latency", figures.latencies), ...times("connect", figures.connects)];
  return rows.length === 0 ? [] : [row("ms", COLUMNS), ...rows];
}

function section(title: string, lines: readonly string[], bold: (text: string) => string): string[] {
  return lines.length === 0 ? [] : ["", bold(title), ...lines];
}

const FORMAT = { value: count, share: percent } as const;

function latencyBars(figures: Figures, { width }: ReportStyle, paint: (text: string) => string): string[] {
  const classes = classesOf(figures.latencies.counted());
  if (classes.length === 0) return [];
  const bounds = classes.map(({ toMs }) => bound(toMs));
  const widest = Math.max(...bounds.map((text) => text.length));
  const rows = classes.map(({ count }, i) => ({ label: `to ${bounds[i]?.padStart(widest)}`, value: count }));
  return barLines(rows, width, FORMAT, paint);
}

/** A bound has few digits. */
function bound(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`;
}

function backendBars(figures: Figures, { width }: ReportStyle, paint: (text: string) => string): string[] {
  const names = [...figures.shares].sort(([one], [other]) => one < other ? -1 : 1);
  if (names.length === 0) return [];
  return barLines(names.map(([label, value]) => ({ label, value })), width, FORMAT, paint);
}
