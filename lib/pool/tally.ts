/**
 * What sessions add up to: how they ended, their bytes and times, by listener, pool and backend.
 *
 * A worker counts in plain memory of its own and hands over what has been added since the last time, a few times a
 * second; so counting costs no atomics and no message a session.
 */

import { HISTOGRAM_CELLS } from "./histogram.ts";

/** Something that has a name. */
export interface Named {
  readonly name: string;
}

/** What sessions are counted by: how they came in, where they were routed, and who served them, if anyone did. */
export interface TallyKey {
  readonly listener: string;
  readonly pool: string;
  readonly backend: string | undefined;
}

/** Cells of an entry; those of how sessions ended come last. */
export const BYTES_IN = 0;
export const BYTES_OUT = 1;
/** Dials of this backend that failed. */
export const DIAL_FAILURES = 2;
/** Dials of this backend after another one had failed. */
export const RETRIES = 3;
/** Sessions that this machine had no descriptor, local port or memory to dial this backend for. */
export const SHORT_DIALS = 4;
/** Datagrams that were above a rate limit, and others for which there was no room. */
export const DROPPED_OVER_LIMIT = 5;
export const DROPPED_NO_ROOM = 6;
export const DIAL_SECONDS = 7;
export const SESSION_SECONDS = DIAL_SECONDS + HISTOGRAM_CELLS;
export const QUEUE_SECONDS = SESSION_SECONDS + HISTOGRAM_CELLS;
export const ENDS = QUEUE_SECONDS + HISTOGRAM_CELLS;

/** What has been added to an entry. */
export interface TallyEntry {
  readonly key: TallyKey;
  readonly cells: Float64Array<ArrayBuffer>;
}

/** Counts of one worker since they were last handed over. */
export class Tally {
  readonly #cells: number;
  /**
   * By listener, then by backend, or by pool where no backend was reached. By the things and not their names, which is quicker; one
   * that took the place of another of its name has an entry of its own.
   */
  #entries = new Map<Named, Map<Named, TallyEntry>>();

  /** @param ends In how many ways a session can end. */
  constructor(ends: number) {
    this.#cells = ENDS + ends;
  }

  /** What is counted for these; to be added to at once, since it may have been handed over a moment later. */
  of(listener: Named, pool: Named, backend: Named | undefined): Float64Array {
    let entries = this.#entries.get(listener);
    if (entries === undefined) this.#entries.set(listener, entries = new Map());
    let entry = entries.get(backend ?? pool);
    if (entry === undefined) {
      const key = { listener: listener.name, pool: pool.name, backend: backend?.name };
      entries.set(backend ?? pool, entry = { key, cells: new Float64Array(this.#cells) });
    }
    return entry.cells;
  }

  /** What has been added since the last time. */
  handOver(): TallyEntry[] {
    const entries = [...this.#entries.values()].flatMap((it) => [...it.values()]);
    this.#entries = new Map();
    return entries;
  }
}
