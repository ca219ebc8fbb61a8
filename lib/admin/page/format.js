// @ts-check

/** Numbers as text, each with its unit. */

/** Keeps a number and its unit on one line. */
const NBSP = "\u00a0";

/** Stands for a number that is not known. */
export const UNKNOWN = "–";

const grouped = new Intl.NumberFormat("en");
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/**
 * A whole number: 12,345.
 *
 * @param {number | null | undefined} value
 */
export function formatCount(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const rounded = Math.round(value);
  return rounded < 1000 ? String(rounded) : grouped.format(rounded);
}

/**
 * A number with one decimal while that matters: 0, 3.2, 320.
 *
 * @param {number | null | undefined} value
 */
export function formatDecimal(value) {
  if (value === null || value === undefined) return UNKNOWN;
  return value === 0 || value >= 99.95 ? formatCount(value) : value.toFixed(1);
}

/**
 * How often a second: 3.2 /s.
 *
 * @param {number | null | undefined} value
 */
export function formatRate(value) {
  return value === null || value === undefined ? UNKNOWN : `${formatDecimal(value)}${NBSP}/s`;
}

/**
 * Bytes in binary units, in at most three digits: 512 B, 1.5 KiB, 320 MiB.
 *
 * @param {number | null | undefined} bytes
 */
export function formatBytes(bytes) {
  if (bytes === null || bytes === undefined) return UNKNOWN;
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? formatCount(value) : formatDecimal(value)}${NBSP}${BYTE_UNITS[unit]}`;
}

/**
 * Bytes a second: 1.5 KiB/s.
 *
 * @param {number | null | undefined} bytes
 */
export function formatByteRate(bytes) {
  return bytes === null || bytes === undefined ? UNKNOWN : `${formatBytes(bytes)}/s`;
}

/**
 * Milliseconds: 0.42 ms, 4.2 ms, 420 ms.
 *
 * @param {number | null | undefined} ms
 */
export function formatMs(ms) {
  if (ms === null || ms === undefined) return UNKNOWN;
  return `${ms > 0 && ms < 0.995 ? ms.toFixed(2) : formatDecimal(ms)}${NBSP}ms`;
}

/**
 * A span of time in its two largest units: 12 s, 3 min, 4 h 5 min, 6 d 7 h.
 *
 * @param {number} seconds
 */
export function formatSpan(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s}${NBSP}s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes}${NBSP}min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24
    ? pair(hours, "h", minutes % 60, "min")
    : pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

/**
 * A span of time in whole days, as people speak of dates; less than a day as {@link formatSpan}.
 *
 * @param {number} seconds
 */
export function formatDays(seconds) {
  const days = Math.floor(seconds / 86_400);
  if (days < 1) return formatSpan(seconds);
  return `${formatCount(days)}${NBSP}${days === 1 ? "day" : "days"}`;
}

/**
 * @param {number} large
 * @param {string} largeUnit
 * @param {number} small
 * @param {string} smallUnit
 */
function pair(large, largeUnit, small, smallUnit) {
  const main = `${large}${NBSP}${largeUnit}`;
  return small === 0 ? main : `${main}${NBSP}${small}${NBSP}${smallUnit}`;
}

/**
 * The time of day, and the date where it is another day than that of `now`.
 *
 * @param {Date} time
 * @param {Date} now
 */
export function formatTime(time, now) {
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  if (time.toDateString() === now.toDateString()) return clock;
  return `${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}

/**
 * The time of day without seconds, from seconds since 1970.
 *
 * @param {number} epochSeconds
 */
export function formatMinute(epochSeconds) {
  const time = new Date(epochSeconds * 1000);
  return `${two(time.getHours())}:${two(time.getMinutes())}`;
}

const MAX_LABEL_CHARS = 24;

/**
 * A long name without its middle: what tells names apart stands at their end, as often as at their beginning.
 *
 * @param {string} name
 */
export function cutInTheMiddle(name) {
  if (name.length <= MAX_LABEL_CHARS) return name;
  return `${name.slice(0, 8)}…${name.slice(-(MAX_LABEL_CHARS - 9))}`;
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}
