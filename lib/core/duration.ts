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
  return "write it as 250ms, 30s, 1m30s or 2h";
}
