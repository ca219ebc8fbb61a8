/** What chance does to a connection or an answer, by its number: a function of numbers and the seed alone, so that a run repeats. Pure. */

import { halfSipHash } from "../core/half_siphash.ts";
import type { Delay, FailWay, Misbehaviour } from "../core/misbehaviour.ts";

/** What a number is drawn for, so that one draw tells nothing about another. */
const PURPOSE = { failure: 1, delay: 2, order: 3, garbage: 4 } as const;

/** How connection number `connection` fails; undefined when it does not. A higher rate adds failures, and takes none away. */
export function failureOf(
  connection: number,
  { seed, failRate, failHow }: Pick<Misbehaviour, "seed" | "failRate" | "failHow">,
): FailWay | undefined {
  return draw(seed, PURPOSE.failure, connection, 0) < failRate ? failHow : undefined;
}

/** Answers of which 99 keep the delay `p99`, and one does not. */
const BLOCK = 100;

/**
 * How late answer number `answer` is, in ms; numbers begin with 0.
 *
 * Of each hundred with `p99`, exactly one takes longer. The times are distributed as those of a queue are, exponentially: half of the
 * answers take less than 0.15 of it.
 */
export function delayMs(answer: number, delay: Delay, seed: number): number {
  if (delay.kind === "range" && delay.fromMs === delay.toMs) return delay.fromMs;
  const drawn = draw(seed, PURPOSE.delay, answer, 0);
  if (delay.kind === "range") return delay.fromMs + drawn * (delay.toMs - delay.fromMs);
  // Each of a hundred answers has a hundredth of the distribution to itself.
  const quantile = (placeInBlock(answer, seed) + drawn) / BLOCK;
  return delay.p99Ms * Math.log(1 - quantile) / Math.log(1 / BLOCK);
}

/** The place of an answer among those of its hundred, from 0 to 99: they are ordered by a draw. */
function placeInBlock(answer: number, seed: number): number {
  const first = answer - answer % BLOCK;
  const own = draw(seed, PURPOSE.order, answer, 0);
  let place = 0;
  for (let other = first; other < first + BLOCK; other++) {
    const drawn = draw(seed, PURPOSE.order, other, 0);
    if (drawn < own || (drawn === own && other < answer)) place++;
  }
  return place;
}

/** Bytes in the place of write number `write` of a connection. */
export function garbage(connection: number, write: number, length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = Math.floor(draw(seed, PURPOSE.garbage, connection, write) * 2 ** 32) | 1;
  for (let i = 0; i < length; i++) {
    // xorshift32 (Marsaglia 2003).
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

const words = new Uint32Array(2);
const key = new Uint32Array(2);
const hash = new Uint32Array(2);

/** From 0 to 1, without 1. */
function draw(seed: number, purpose: number, first: number, second: number): number {
  words[0] = first;
  words[1] = second;
  key[0] = seed;
  key[1] = purpose;
  halfSipHash(words, 2, key, hash);
  return (hash[0] ?? 0) / 2 ** 32;
}
