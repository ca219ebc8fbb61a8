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
  const wrap = (line: string): string[] => wrapped(line, style.width);
  return [
    ...headline(run, style.width, paint(BOLD)),
    "",
    ...(plan.hold ? heldLines(result) : requestLines(result)).flatMap(wrap),
    ...errorLines(figures).flatMap(wrap).map(paint(figures.errorCount > 0 ? RED : GREEN)),
    ...reasonLines(figures).flatMap(wrap),
    ...unsentLines(run, result).flatMap(wrap),
    "",
    ...timeLines(run, figures, style.width),
    ...section("latency", latencyBars(figures, style, paint(CYAN)), paint(BOLD)),
    ...section("backends", backendBars(figures, style, paint(GREEN)), paint(BOLD)),
  ].map((line) => `${line.trimEnd()}\n`).join("");
}

function headline(run: Described, width: number, bold: (text: string) => string): string[] {
  const { plan, target, engine, workers } = run;
  const how = [
    `${count(plan.connections)} ${isUdp(plan) ? "socket" : "connection"}${plan.connections === 1 ? "" : "s"}${
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

function errorLines(figures: Figures): string[] {
  const kinds = ERROR_KINDS.filter((kind) => figures.errors[kind] > 0)
    .map((kind) => `${KIND_TEXTS[kind]} ${count(figures.errors[kind])}`);
  return [`errors     ${count(figures.errorCount)}${kinds.length === 0 ? "" : `: ${kinds.join(", ")}`}`];
}

function reasonLines({ reason }: Figures): string[] {
  return reason === undefined ? [] : [`           other: ${reason}`];
}

function unsentLines({ plan }: Described, { unsent }: LoadResult): string[] {
  if (unsent === 0) return [];
  return [
    `unsent     ${count(unsent)}: due, and without a free ${
      isUdp(plan) ? "socket" : "connection"
    } by the end`,
  ];
}

const COLUMNS = ["min", "mean", "p50", "p90", "p99", "p99.9", "max"] as const;
const LABEL_WIDTH = 9;
const COLUMN_WIDTH = 9;
const LINE_WIDTH = LABEL_WIDTH + COLUMNS.length * COLUMN_WIDTH;

/** A line for each kind of time; where the terminal is narrow a column, which fits 20. */
function timeLines({ plan }: Described, figures: Figures, width: number): string[] {
  // Nothing is sent to open a socket for datagrams.
  const connects = isUdp(plan) ? [] : [["connect", figures.connects] as const];
  const columns = [["latency", figures.latencies] as const, ...connects]
    .filter(([, { count }]) => count > 0)
    .map(([label, latencies]) => [label, ...cellsOf(latencies)]);
  if (columns.length === 0) return [];
  const table = [["ms", ...COLUMNS], ...columns];
  if (width >= LINE_WIDTH) {
    return table.map(([label = "", ...cells]) =>
      label.padEnd(LABEL_WIDTH) + cells.map((cell) => cell.padStart(COLUMN_WIDTH)).join("")
    );
  }
  return ["ms", ...COLUMNS].map((_, i) =>
    table.map((column, k) => k === 0 ? column[i]?.padEnd(5) : column[i]?.padStart(k === 1 ? 7 : 8)).join("")
  );
}

function cellsOf(latencies: Latencies): string[] {
  const { min, mean, p50, p90, p99, p999, max } = latencies.statistics();
  return [min, mean, p50, p90, p99, p999, max].map(milliseconds);
}

/** A line that is too long goes on below, at a space. */
function wrapped(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const at = line.lastIndexOf(" ", width);
  // The spaces before it are those that its beginning is set off by.
  if (line.slice(0, Math.max(0, at)).trim() === "") return [line];
  return [line.slice(0, at), ...wrapped(`  ${line.slice(at + 1)}`, width)];
}

function isUdp({ addresses: [address] }: LoadPlan): boolean {
  return address.transport === "udp";
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

/** So many backends have a bar of their own. */
const MAX_BARS = 64;

/** The largest by name, and the others together. */
function backendBars(figures: Figures, { width }: ReportStyle, paint: (text: string) => string): string[] {
  const rows = [...figures.backends].map(([label, value]) => ({ label, value }))
    .sort((one, other) => other.value - one.value || (one.label < other.label ? -1 : 1));
  const others = rows.splice(MAX_BARS).reduce((sum, { value }) => sum + value, figures.otherBackends);
  if (rows.length === 0) return [];
  rows.sort((one, other) => one.label < other.label ? -1 : 1);
  if (others > 0) rows.push({ label: "others", value: others });
  return barLines(rows, width, FORMAT, paint);
}
