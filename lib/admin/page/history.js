// @ts-check

/** The last ten minutes, second by second: what the charts draw. */

/** @import { Summary } from "./api.js" */

/**
 * @typedef {(number | null)[]} Column
 *
 * @typedef {{
 *   times: number[], active: Column, sessions_per_s: Column, bytes_in_per_s: Column, bytes_out_per_s: Column,
 *   retries_per_s: Column, refused_per_s: Record<string, Column>, dial_ms: Record<string, Column>,
 * }} History The event `history`: columns beside the times in seconds since 1970.
 */

/**
 * The end of it, so many seconds long.
 *
 * @param {History} history
 * @param {number} seconds
 * @return {History}
 */
export function lastOf(history, seconds) {
  const since = (history.times.at(-1) ?? 0) - seconds;
  const from = history.times.findIndex((time) => time >= since);
  if (from <= 0) return history;
  const cut = (/** @type {Record<string, Column>} */ columns) =>
    Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column.slice(from)]));
  const part = emptyHistory();
  part.times = history.times.slice(from);
  for (const figure of FIGURES) part[figure] = history[figure].slice(from);
  part.refused_per_s = cut(history.refused_per_s);
  part.dial_ms = cut(history.dial_ms);
  return part;
}

/** How far back the charts go. */
export const SPAN_S = 600;

/** Seconds without a summary after which a line is interrupted instead of drawn through. */
const GAP_S = 4;

const FIGURES = /** @type {const} */ ([
  "active",
  "sessions_per_s",
  "bytes_in_per_s",
  "bytes_out_per_s",
  "retries_per_s",
]);

/** @return {History} */
export function emptyHistory() {
  return {
    ...{ times: [], active: [], sessions_per_s: [], bytes_in_per_s: [], bytes_out_per_s: [] },
    ...{ retries_per_s: [], refused_per_s: {}, dial_ms: {} },
  };
}

/**
 * What the balancer remembers, after what this page still knows from before: a balancer that was started anew remembers
 * nothing.
 *
 * @param {History} known
 * @param {History} sent
 * @return {History}
 */
export function joinHistory(known, sent) {
  const joined = emptyHistory();
  const from = sent.times[0] ?? Infinity;
  known.times.forEach((time, i) => time < from && append(joined, summaryAt(known, i)));
  sent.times.forEach((_, i) => append(joined, summaryAt(sent, i)));
  return joined;
}

/**
 * Adds a second at the end and forgets what is too old. A second that is already there is not added again.
 *
 * @param {History} history
 * @param {Summary} summary
 */
export function append(history, summary) {
  const last = history.times.at(-1);
  if (last !== undefined) {
    if (summary.time < last - GAP_S) Object.assign(history, emptyHistory()); // the clock was set back
    else if (summary.time <= last) return;
    else if (summary.time > last + GAP_S) push(history, { time: last + 1, dial_ms: {} });
  }
  push(history, summary);
  const old = history.times.findIndex((time) => time >= summary.time - SPAN_S);
  if (old > 0) forget(history, old);
}

/**
 * @param {History} history
 * @param {number} index
 */
function summaryAt(history, index) {
  const dials = Object.entries(history.dial_ms).map(([name, column]) => [name, column[index] ?? null]);
  const refused = Object.entries(history.refused_per_s ?? {}).map((
    [name, column],
  ) => [name, column[index] ?? 0]);
  return /** @type {Summary} */ ({
    time: history.times[index],
    ...Object.fromEntries(FIGURES.map((figure) => [figure, history[figure]?.[index] ?? null])),
    refused_per_s: Object.fromEntries(refused),
    dial_ms: Object.fromEntries(dials),
  });
}

/**
 * @param {History} history
 * @param {Partial<Summary> & Pick<Summary, "time" | "dial_ms">} summary
 */
function push(history, summary) {
  for (const name of Object.keys(summary.dial_ms)) {
    history.dial_ms[name] ??= history.times.map(() => null);
  }
  const refused = summary.refused_per_s ?? {};
  for (const reason of Object.keys(refused)) history.refused_per_s[reason] ??= history.times.map(() => 0);
  const isGap = summary.refused_per_s === undefined;
  for (const [reason, column] of Object.entries(history.refused_per_s)) {
    column.push(isGap ? null : refused[reason] ?? 0);
  }
  history.times.push(summary.time);
  for (const figure of FIGURES) history[figure].push(summary[figure] ?? null);
  for (const [name, column] of Object.entries(history.dial_ms)) column.push(summary.dial_ms[name] ?? null);
}

/**
 * @param {History} history
 * @param {number} count
 */
function forget(history, count) {
  history.times.splice(0, count);
  for (const figure of FIGURES) history[figure].splice(0, count);
  for (const [reason, column] of Object.entries(history.refused_per_s)) {
    column.splice(0, count);
    if (column.every((value) => !value)) delete history.refused_per_s[reason];
  }
  for (const [name, column] of Object.entries(history.dial_ms)) {
    column.splice(0, count);
    if (column.every((value) => value === null)) delete history.dial_ms[name];
  }
}
