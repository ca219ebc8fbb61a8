/** What must hold, as a plan writes it: `<50ms`, `>5%`, `p99 of one < p99 of two`. Pure. */

import { formatDuration, parseDurationMs } from "../core/duration.ts";
import { InputError } from "../core/errors.ts";
import { meantBy } from "../core/other_names.ts";

/** Times of a load that can have a bound. */
export const TIMES = ["mean", "p50", "p90", "p95", "p99", "p99.9", "max"] as const;
export type TimeName = typeof TIMES[number];

/** What can be compared between two runs. */
export const MEASURES = ["requests", "errors", ...TIMES] as const;
export type Measure = typeof MEASURES[number];

/** Whether it is a time, and no count. */
export function isTime(measure: Measure): measure is TimeName {
  return measure !== "requests" && measure !== "errors";
}

/** Parts of 1. `near`: within the tolerance. */
export interface ShareBound {
  readonly is: "near" | "below" | "above";
  readonly part: number;
}

export interface Comparison {
  readonly measure: Measure;
  readonly of: string;
  readonly is: "<" | ">";
  readonly otherMeasure: Measure;
  readonly other: string;
}

/** All that must hold. */
export interface Bounds {
  /** The most requests that may fail: a number, or a part of all. */
  readonly errors: { readonly count: number } | { readonly part: number } | undefined;
  /** The fewest that are answered. */
  readonly requests: number | undefined;
  /** In ms; each time is less. */
  readonly timesMs: Readonly<Partial<Record<TimeName, number>>>;
  /** By the name of the server. */
  readonly shares: ReadonlyMap<string, ShareBound>;
  /** How far a share may be from what it is to be, as a part of 1. */
  readonly tolerance: number;
  /** From the moment a server goes down until it is picked no more; in ms. */
  readonly noticedMs: number | undefined;
  /** From the moment it comes up until it is picked again; in ms. */
  readonly recoveredMs: number | undefined;
  readonly comparisons: readonly Comparison[];
}

/** `<50ms`, in ms. @throws {InputError} that says what to write. */
export function parseTimeBound(text: string): number {
  const [, written] = /^<\s*(.*)$/s.exec(text) ?? [];
  if (written !== undefined) return parseDurationMs(written);
  const isDuration = /^[\dhms]+$/.test(text) && /[a-z]$/.test(text);
  throw new InputError(`${JSON.stringify(text)} is not a bound; write ${isDuration ? `<${text}` : "<50ms"}`);
}

export function formatTimeBound(ms: number): string {
  return `<${formatDuration(ms)}`;
}

const PERCENT = /^(\d{1,3}(?:\.\d{1,3})?)\s*%$/;

/** `50%`, as a part of 1. @throws {InputError} that says what to write. */
export function parsePercent(text: string): number {
  const percent = Number(PERCENT.exec(text)?.[1] ?? NaN);
  if (percent <= 100) return percent / 100;
  throw new InputError(`${JSON.stringify(text)} is not a percentage; write 0% to 100%, as 5%`);
}

/** The inverse of {@linkcode parsePercent}, to a tenth. */
export function formatPercent(part: number): string {
  return `${Number((part * 100).toFixed(1))}%`;
}

/** `<1%`, as a part of 1. @throws {InputError} that says what to write. */
export function parseErrorPart(text: string): number {
  const [, written = ""] = /^<\s*(.*)$/s.exec(text) ?? [];
  if (PERCENT.test(written)) return parsePercent(written);
  throw new InputError(
    `${JSON.stringify(text)} is not a bound for errors; write how many there may be, as 0, or <1%`,
  );
}

/** `50%`, `<30%` or `>5%`. @throws {InputError} that says what to write. */
export function parseShareBound(text: string): ShareBound {
  const [, sign = "", written = ""] = /^([<>]?)\s*(.*)$/s.exec(text) ?? [];
  if (!PERCENT.test(written)) {
    throw new InputError(`${JSON.stringify(text)} is not a share; write 50%, <30% or ">5%"`);
  }
  return { is: sign === "<" ? "below" : sign === ">" ? "above" : "near", part: parsePercent(written) };
}

const COMPARISON = /^(\S+)\s+of\s+(\S+)\s*([<>])\s*(\S+)\s+of\s+(\S+)$/;

/** `p99 of least_connections < p99 of round_robin`. @throws {InputError} that says what to write. */
export function parseComparison(text: string): Comparison {
  const [, measure = "", of = "", is = "", otherMeasure = "", other = ""] = COMPARISON.exec(text) ?? [];
  if (is === "") {
    throw new InputError(`${JSON.stringify(text)} is not a comparison; write it as p99 of one < p99 of two`);
  }
  const comparison = {
    measure: parseMeasure(measure),
    of,
    is: is === "<" ? "<" : ">",
    otherMeasure: parseMeasure(otherMeasure),
    other,
  } as const;
  if (isTime(comparison.measure) === isTime(comparison.otherMeasure)) return comparison;
  const [count, time] = isTime(comparison.measure) ? [otherMeasure, measure] : [measure, otherMeasure];
  throw new InputError(
    `${
      JSON.stringify(text)
    } compares a count (${count}) with a time (${time}); compare two counts or two times`,
  );
}

function parseMeasure(text: string): Measure {
  const measure = MEASURES.find((it) => it === text);
  if (measure !== undefined) return measure;
  const near = meantBy(text, MEASURES);
  const hint = near === undefined ? `use ${MEASURES.join(", ")}` : `did you mean ${near}?`;
  throw new InputError(`${JSON.stringify(text)} is not measured; ${hint}`);
}
