/** Numbers as reports write them. Pure. */

/** A whole number, its thousands apart: `1,234,567`. */
export function count(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A time of any size in its unit, with three digits: `0.042 ms`, `12.3 ms`, `1.23 s`. */
export function time(ms: number): string {
  return ms < 1_000 ? `${milliseconds(ms)} ms` : `${digits(ms / 1_000)} s`;
}

/** Milliseconds without their unit: to the microsecond below 10, with three digits above. */
export function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(3) : digits(ms);
}

const PREFIXES = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `512 B`, `1.50 KiB`, `12.3 MiB`. */
export function size(bytes: number): string {
  let value = bytes;
  let prefix = 0;
  for (; value >= 1024 && prefix < PREFIXES.length - 1; prefix++) value /= 1024;
  return `${prefix === 0 ? count(value) : digits(value)} ${PREFIXES[prefix]}`;
}

/** `12.3 %`. */
export function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

/** Three digits, or as many as there are before the point. */
function digits(value: number): string {
  if (value >= 99.95) return count(value);
  return value.toFixed(value < 9.995 ? 2 : 1);
}
