/** Numbers of bytes as people write them: `64KiB`, `1MiB`, `2GiB`. */

import { InputError } from "./errors.ts";

const UNITS = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]] as const;

const SIZE = /^(\d{1,7})([KMG]iB)$/;

/** More than any machine moves in a second. */
const MAX_BYTES = 1_024 * 2 ** 30;

/** Reads a size into bytes; throws an {@linkcode InputError} that says what to write. */
export function parseSize(text: string): number {
  const [, count = "", unit] = SIZE.exec(text) ?? [];
  const unitBytes = UNITS.find(([, name]) => name === unit)?.[0];
  if (unitBytes === undefined) throw new InputError(`${JSON.stringify(text)} is not a size; ${hint(text)}`);
  const bytes = Number(count) * unitBytes;
  if (bytes > MAX_BYTES) throw new InputError(`${JSON.stringify(text)} is too large; write at most 1024GiB`);
  return bytes;
}

/** As {@linkcode parseSize}, and `512B` as well. */
export function parseSizeBytes(text: string): number {
  if (/^\d+$/.test(text)) {
    throw new InputError(`${JSON.stringify(text)} is not a size; add the unit, as ${text}B or ${text}KiB`);
  }
  const bytes = /^(\d{1,12})B$/.exec(text)?.[1];
  return bytes === undefined ? parseSize(text) : Number(bytes);
}

/** The shortest text that {@linkcode parseSizeBytes} reads as so many bytes. */
export function formatSize(bytes: number): string {
  const [unitBytes, unit] = UNITS.find(([it]) => bytes % it === 0 && bytes > 0) ?? [1, "B"];
  return `${bytes / unitBytes}${unit}`;
}

function hint(text: string): string {
  if (text.trim().startsWith("-")) return "it cannot be negative; write 1KiB or more";
  const meant = readOtherForm(text);
  return meant === undefined ? "write it as 64KiB, 10MiB or 1GiB" : `write it as ${formatSize(meant)}`;
}

/** What other programs write: `10m`, `1.5 MiB/s`, `100 Mbit`, which are decimal where they are bits; in whole KiB, rounded up. */
const OTHER_UNITS: readonly (readonly [bytes: number, unit: RegExp])[] = [
  [2 ** 10, /^(k|kb|kib)$/],
  [2 ** 20, /^(m|mb|mib)$/],
  [2 ** 30, /^(g|gb|gib)$/],
  [125, /^k(bit|bits|bps)$/],
  [125_000, /^m(bit|bits|bps)$/],
  [125_000_000, /^g(bit|bits|bps)$/],
  [1, /^(b|bytes?)?$/],
];

/** Undefined when it is none of these, or too large. */
function readOtherForm(text: string): number | undefined {
  const form = /^(\d{1,12}(?:\.\d{1,3})?)\s*([a-z]*)(?:\/s|ps)?$/.exec(text.trim().toLowerCase());
  const unitBytes = OTHER_UNITS.find(([, it]) => it.test(form?.[2] ?? "-"))?.[0] ?? NaN;
  const bytes = Math.ceil(Number(form?.[1]) * unitBytes / 1_024) * 1_024;
  return bytes > 0 && bytes <= MAX_BYTES ? bytes : undefined;
}
