/**
 * What sessions add up to: how they ended, their bytes and times, by listener and backend.
 *
 * A worker counts in plain memory of its own and hands over what has been added since the last time, a few times a
 * second; so counting costs no atomics and no message a session.
 */

import { HISTOGRAM_CELLS, observe } from "./histogram.ts";

/** A listener and a backend, by their rows; no backend for sessions that reached none. */
export interface TallyKey {
  readonly listener: number;
  readonly backend: number | undefined;
}

/** Cells of an entry; those of how sessions ended come last. */
export const BYTES_IN = 0;
export const BYTES_OUT = 1;
/** Dials of this backend that failed. */
export const DIAL_FAILURES = 2;
/** Dials of this backend after another one had failed. */
export const RETRIES = 3;
export const DIAL_SECONDS = 4;
export const SESSION_SECONDS = DIAL_SECONDS + HISTOGRAM_CELLS;
export const QUEUE_SECONDS = SESSION_SECONDS + HISTOGRAM_CELLS;
export const ENDS = QUEUE_SECONDS + HISTOGRAM_CELLS;

/** What has been added to an entry. */
export interface TallyEntry {
  readonly key: TallyKey;
  readonly cells: Float64Array<ArrayBuffer>;
}

const NO_BACKEND = 0xffff;

/** Counts of one worker since they were last handed over. */
export class Tally {
  readonly #cells: number;
  readonly #entries = new Map<number, TallyEntry>();

  /** @param ends In how many ways a session can end. */
  constructor(ends: number) {
    this.#cells = ENDS + ends;
  }

  add(listener: number, backend: number | undefined, cell: number, amount: number): void {
    const { cells } = this.#entry(listener, backend);
    cells[cell] = (cells[cell] ?? 0) + amount;
  }

  /** Adds an observation to one of the histograms. */
  observe(listener: number, backend: number | undefined, histogram: number, seconds: number): void {
    observe(this.#entry(listener, backend).cells, histogram, seconds);
  }

  /** What has been added since the last time. */
  handOver(): TallyEntry[] {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    return entries;
  }

  #entry(listener: number, backend: number | undefined): TallyEntry {
    const key = listener * 0x1_0000 + (backend ?? NO_BACKEND);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { key: { listener, backend }, cells: new Float64Array(this.#cells) };
      this.#entries.set(key, entry);
    }
    return entry;
  }
}
