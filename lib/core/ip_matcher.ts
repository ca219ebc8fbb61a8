/** Whether an address is in one of some ranges, quickly also for thousands of them. Pure. */

import type { IPRange } from "./ip_range.ts";
import { readIP } from "./ip_words.ts";

/** Ranges of one family by their first addresses, none within another: an address can only be in the last that begins before it. */
interface SortedRanges {
  /** Words of an address: 1 or 4. */
  readonly width: number;
  readonly count: number;
  readonly firsts: Uint32Array;
  readonly masks: Uint32Array;
}

/**
 * Tells whether an address is in one of some ranges: an IP address in any form, also mapped into IPv6 and with a zone. What is no IP
 * address is in none.
 */
export function ipMatcher(ranges: readonly IPRange[]): (ip: string) => boolean {
  const words = new Uint32Array(4);
  const known = ranges.map(({ network, prefixBits }) => {
    const family = readIP(network, words);
    if (family === undefined) throw new RangeError(`Cannot match ranges: ${network} is no IP address`);
    return { family, first: words.slice(0, family === 4 ? 1 : 4), prefixBits };
  });
  const [v4, v6] = [
    sorted(known.filter((it) => it.family === 4), 1),
    sorted(known.filter((it) => it.family === 6), 4),
  ];
  return (ip) => {
    const family = readIP(ip, words);
    return family !== undefined && contains(family === 4 ? v4 : v6, words);
  };
}

function sorted(ranges: readonly { first: Uint32Array; prefixBits: number }[], width: number): SortedRanges {
  const ordered = ranges.toSorted((a, b) =>
    compare(a.first, 0, b.first, width) || a.prefixBits - b.prefixBits
  );
  const [firsts, masks] = [new Uint32Array(ordered.length * width), new Uint32Array(ordered.length * width)];
  const kept = { width, count: 0, firsts, masks };
  for (const { first, prefixBits } of ordered) {
    // A wider one comes first.
    if (contains(kept, first)) continue;
    const at = kept.count++ * width;
    firsts.set(first, at);
    for (let i = 0; i < width; i++) masks[at + i] = maskOf(prefixBits - 32 * i);
  }
  return kept;
}

/** A word whose first bits are 1. */
function maskOf(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
}

function contains({ width, count, firsts, masks }: SortedRanges, ip: Uint32Array): boolean {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(firsts, middle * width, ip, width) <= 0) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return false;
  const at = (low - 1) * width;
  for (let i = 0; i < width; i++) {
    if ((((ip[i] ?? 0) & (masks[at + i] ?? 0)) >>> 0) !== firsts[at + i]) return false;
  }
  return true;
}

/** Below 0 when the address at `at` of a table comes before the other one. */
function compare(table: Uint32Array, at: number, ip: Uint32Array, width: number): number {
  for (let i = 0; i < width; i++) {
    const difference = (table[at + i] ?? 0) - (ip[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
