/**
 * How many connections each source has at each listener, and how fast it opens them: a table of one size in memory that all threads
 * share, however many sources there are.
 *
 * A source has a slot in one of eight ways of a set, which its hash chooses (a set-associative cache, as processors have them). A slot
 * without connections whose bucket is full again holds nothing worth knowing. So a new source takes the slot of the one that has been
 * idle for longest, and never one that has connections. Where all eight have some, the new source is not limited.
 *
 * A slot is three cells of 64 bits: 44 bits of the hash with a count of 20 bits, which change together, the bucket, and the source
 * itself, for people who want to know who it is.
 */

import { halfSipHash } from "../core/half_siphash.ts";
import type { ListenerRow } from "./row.ts";

const SETS = 65_536;
const WAYS = 8;
/** Half a million sources: 12 MiB. */
export const SOURCE_SLOTS = SETS * WAYS;
const COUNT_BITS = 20n;
/** A count that is never reached. */
const MAX_COUNT = 0xfffff;

/** In place of a slot: the source has as many connections as it may have. */
export const AT_LIMIT = -1;
/** In place of a slot: there is none for it. */
export const NO_SLOT = -2;

/** How fast a source may open connections: a bucket of `burst`, of which one is filled in again after each interval. */
export interface ConnectionRate {
  /** In µs. */
  readonly intervalUs: number;
  readonly burst: number;
}

/** A source that has connections. */
export interface BusySource {
  readonly listener: ListenerRow;
  /** The word of an IPv4 address, or the two of the first half of an IPv6 address. */
  readonly source: Uint32Array;
  readonly count: number;
}

export class SourceTable {
  readonly buffer: SharedArrayBuffer;
  /** The key of the hash, then for each slot who has it, and the bucket; then for each slot its source. */
  readonly #cells: BigUint64Array<SharedArrayBuffer>;
  /** The same memory. */
  readonly #words: Uint32Array<SharedArrayBuffer>;
  readonly #key: Uint32Array;
  readonly #input = new Uint32Array(3);
  readonly #hash = new Uint32Array(2);

  /** Attaches to the memory of a table; with no memory given, makes a new one that is empty and has a hash of its own. */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer((1 + 3 * SOURCE_SLOTS) * BigUint64Array.BYTES_PER_ELEMENT);
    this.#cells = new BigUint64Array(this.buffer);
    this.#words = new Uint32Array(this.buffer);
    if (buffer === undefined) {
      crypto.getRandomValues(new Uint32Array(2)).forEach((it, i) => this.#words[i] = it);
    }
    this.#key = this.#words.slice(0, 2);
  }

  /**
   * Adds 1 to the count of a source unless it has reached `limit`; 0 is no limit. Only a {@linkcode SourceLedger} may call it.
   *
   * Exact over all threads, but for the first connections of a source that come to several threads in the same instant: each thread may
   * then make a slot of its own, and all but one are forgotten, so that the limit is passed by one a further thread at most.
   *
   * @param source The words of an IPv4 address, or of the first half of an IPv6 address.
   * @return Its slot, {@linkcode AT_LIMIT} or {@linkcode NO_SLOT}.
   */
  raise(listener: ListenerRow, source: Uint32Array, length: number, limit: number): number {
    const most = limit === 0 ? MAX_COUNT : Math.min(limit, MAX_COUNT);
    const [set, owner] = this.#place(listener, source, length);
    for (;;) {
      let slot = this.#find(set, owner);
      if (slot === NO_SLOT) {
        slot = this.#take(set, owner);
        if (slot === NO_SLOT) return NO_SLOT;
        // Another thread may have made one meanwhile: the first one counts.
        if (this.#find(set, owner) === slot) return slot;
        this.lower(slot, 1);
        continue;
      }
      const cell = ownerCell(slot);
      const before = Atomics.load(this.#cells, cell);
      if (before >> COUNT_BITS !== owner) continue;
      if (countOf(before) >= most) return AT_LIMIT;
      if (Atomics.compareExchange(this.#cells, cell, before, before + 1n) === before) return slot;
    }
  }

  /** Takes away from the count of a slot, which has at least so much. Only a {@linkcode SourceLedger} may call it. */
  lower(slot: number, amount: number): void {
    Atomics.sub(this.#cells, ownerCell(slot), BigInt(amount));
  }

  /**
   * Takes one connection out of the bucket of a slot with connections; false when it is empty. Exact over all threads.
   *
   * The bucket is one number, the time at which it will be full (the generic cell rate algorithm, ITU-T I.371). A time that is too late
   * to be one comes of a clock that was set back, or of another rate before a reload: then the bucket is full.
   *
   * @param nowUs By the clock of the machine, which is the same for all threads.
   */
  charge(slot: number, { intervalUs, burst }: ConnectionRate, nowUs: number): boolean {
    const cell = ownerCell(slot) + 1;
    const mostUs = burst * intervalUs;
    for (;;) {
      const before = Atomics.load(this.#cells, cell);
      const fullUs = Number(before);
      const isPast = fullUs <= nowUs || fullUs > nowUs + mostUs;
      const afterUs = (isPast ? nowUs : fullUs) + intervalUs;
      if (afterUs > nowUs + mostUs) return false;
      if (Atomics.compareExchange(this.#cells, cell, before, BigInt(afterUs)) === before) return true;
    }
  }

  /** How many connections a source has; 0 for one that is not known. */
  count(listener: ListenerRow, source: Uint32Array, length: number): number {
    const [set, owner] = this.#place(listener, source, length);
    const slot = this.#find(set, owner);
    return slot === NO_SLOT ? 0 : countOf(Atomics.load(this.#cells, ownerCell(slot)));
  }

  /** The sources with the most connections, those first; it looks at the whole table, which takes a few milliseconds. */
  busiest(most: number, listeners: readonly ListenerRow[]): BusySource[] {
    const found: { readonly slot: number; readonly count: number }[] = [];
    let least = 0;
    for (let slot = 0; slot < SOURCE_SLOTS; slot++) {
      const count = (this.#words[2 * ownerCell(slot)] ?? 0) & MAX_COUNT;
      if (count <= least) continue;
      found.splice(found.findLastIndex((it) => it.count >= count) + 1, 0, { slot, count });
      if (found.length <= most) continue;
      found.pop();
      least = found.at(-1)?.count ?? 0;
    }
    return found.flatMap(({ slot, count }) => {
      const owner = this.#ownerOf(slot, listeners);
      return owner === undefined ? [] : [{ ...owner, count }];
    });
  }

  /** Who has a slot: the listener and the source whose hash it is; undefined for another listener, and while it changes hands. */
  #ownerOf(slot: number, listeners: readonly ListenerRow[]): Omit<BusySource, "count"> | undefined {
    const word = 2 * sourceCell(slot);
    const words = this.#words.slice(word, word + 2);
    const owner = Atomics.load(this.#cells, ownerCell(slot)) >> COUNT_BITS;
    for (const listener of listeners) {
      for (const length of [1, 2]) {
        if (this.#place(listener, words, length)[1] === owner) {
          return { listener, source: words.subarray(0, length) };
        }
      }
    }
    return undefined;
  }

  /** The first slot of its set, and what its slot is known by, which is not 0. */
  #place(listener: ListenerRow, source: Uint32Array, length: number): [set: number, owner: bigint] {
    this.#input[0] = listener;
    this.#input[2] = 0;
    for (let i = 0; i < length; i++) this.#input[i + 1] = source[i] ?? 0;
    halfSipHash(this.#input, length + 1, this.#key, this.#hash);
    const [high = 0, low = 0] = this.#hash;
    return [(low % SETS) * WAYS, (BigInt(high) << 12n) | BigInt((low >>> 20) | 1)];
  }

  /** The slot of a source that has one. */
  #find(set: number, owner: bigint): number {
    const high = Number(owner >> 12n);
    for (let slot = set; slot < set + WAYS; slot++) {
      const cell = ownerCell(slot);
      if (Atomics.load(this.#words, 2 * cell + 1) !== high) continue;
      if (Atomics.load(this.#cells, cell) >> COUNT_BITS === owner) return slot;
    }
    return NO_SLOT;
  }

  /** Takes the slot without connections whose bucket has been full for longest, with a count of 1 and a full bucket. */
  #take(set: number, owner: bigint): number {
    for (;;) {
      let [oldest, oldestUs] = [NO_SLOT, Infinity];
      for (let slot = set; slot < set + WAYS; slot++) {
        const word = 2 * ownerCell(slot);
        if (((this.#words[word] ?? 0) & MAX_COUNT) !== 0) continue;
        const fullUs = (this.#words[word + 3] ?? 0) * 2 ** 32 + (this.#words[word + 2] ?? 0);
        if (fullUs < oldestUs) [oldest, oldestUs] = [slot, fullUs];
      }
      if (oldest === NO_SLOT) return NO_SLOT;
      const cell = ownerCell(oldest);
      const before = Atomics.load(this.#cells, cell);
      if (countOf(before) !== 0) continue;
      if (Atomics.compareExchange(this.#cells, cell, before, (owner << COUNT_BITS) | 1n) !== before) continue;
      // Until then the bucket is that of the source before, which another thread may charge once by mistake.
      Atomics.store(this.#cells, cell + 1, 0n);
      const source = 2 * sourceCell(oldest);
      Atomics.store(this.#words, source, this.#input[1] ?? 0);
      Atomics.store(this.#words, source + 1, this.#input[2] ?? 0);
      return oldest;
    }
  }
}

function ownerCell(slot: number): number {
  return 1 + 2 * slot;
}

function sourceCell(slot: number): number {
  return 1 + 2 * SOURCE_SLOTS + slot;
}

function countOf(cell: bigint): number {
  return Number(cell & BigInt(MAX_COUNT));
}
