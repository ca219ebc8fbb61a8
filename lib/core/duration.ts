/** Durations as people write them: `250ms`, `30s`, `1m30s`, `2h`. */

import { InputError } from "./errors.ts";

/** Longer does not fit a timer of the runtime (2^31 - 1 milliseconds). */
const MAX_DURATION_MS = 596 * 3_600_000;

const DURATION = /^(?=\d)(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Reads a duration into milliseconds; throws an {@linkcode InputError} that says what to write. */
export function parseDurationMs(text: string): number {
  const parts = DURATION.exec(text);
  if (parts === null) throw new InputError(`${JSON.stringify(text)} is not a duration; ${hint(text)}`);
  const [hours, minutes, seconds, millis] = parts.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  const totalMs = hours * 3_600_000 + minutes * 60_000 + seconds * 1_000 + millis;
  if (totalMs > MAX_DURATION_MS) {
    throw new InputError(`${JSON.stringify(text)} is too long; a duration is at most 596h`);
  }
  return totalMs;
}

/** The shortest text that {@linkcode parseDurationMs} reads as this many milliseconds. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  const parts: [number, string][] = [
    [Math.floor(ms / 3_600_000), "h"],
    [Math.floor(ms / 60_000) % 60, "m"],
    [Math.floor(ms / 1_000) % 60, "s"],
    [ms % 1_000, "ms"],
  ];
  return parts.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`).join("");
}

function hint(text: string): string {
  if (/^\d+$/.test(text)) return `add the unit, as ${text}s or ${text}ms`;
  if (text.startsWith("-")) return "it cannot be negative; write 0s or more";
  const otherMs = readOtherForm(text);
  if (otherMs !== undefined) return `write it as ${formatDuration(otherMs)}`;
  return "write it as 250ms, 30s, 1m30s or 2h";
}

/** What other programs write, in milliseconds: `30sec`, `5 minutes`, `1d`, `1.5s`. */
const OTHER_UNITS: readonly (readonly [ms: number, unit: RegExp])[] = [
  [1, /^(ms|msecs?|millis?|milliseconds?)$/],
  [1_000, /^(s|secs?|seconds?)$/],
  [60_000, /^(m|mins?|minutes?)$/],
  [3_600_000, /^(h|hrs?|hours?)$/],
  [86_400_000, /^(d|days?)$/],
];

/** Undefined when it is none of these, or no whole number of milliseconds that could be written. */
function readOtherForm(text: string): number | undefined {
  const [, count = "", unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]+)$/.exec(text.trim().toLowerCase()) ??
    [];
  const unitMs = OTHER_UNITS.find(([, form]) => form.test(unit))?.[0];
  // A sum of thousandths is not always exact.
  const ms = unitMs === undefined ? NaN : Math.round(Number(count) * unitMs * 1_000) / 1_000;
  return Number.isInteger(ms) && ms <= MAX_DURATION_MS ? ms : undefined;
}
