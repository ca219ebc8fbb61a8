/** Timers of a loop that may sleep for whole milliseconds only. Few, and seldom, so that a list will do. */

import type { MonotonicNow } from "../../core/coarse_clock.ts";

/** All that is due within as much is called together. */
const GRAIN_MS = 4;

interface Timer {
  dueMs: number;
  readonly everyMs: number;
  readonly call: () => void;
}

export class Timers {
  readonly #now: MonotonicNow;
  readonly #timers = new Set<Timer>();
  /** When the first of them is due. */
  #nextMs = Infinity;

  constructor(now: MonotonicNow = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Calls once, after so many milliseconds.
   *
   * @return Takes that back.
   */
  later(ms: number, call: () => void): () => void {
    return this.#add({ dueMs: this.#grained(this.#now() + ms), everyMs: 0, call });
  }

  /**
   * Calls again and again.
   *
   * @return Ends that.
   */
  every(ms: number, call: () => void): () => void {
    return this.#add({ dueMs: this.#now() + ms, everyMs: ms, call });
  }

  /** How long to sleep until the first is due, in whole milliseconds; Infinity without any. */
  nextMs(): number {
    return this.#nextMs === Infinity ? Infinity : Math.max(0, Math.ceil(this.#nextMs - this.#now()));
  }

  /** Calls those that are due. */
  run(): void {
    if (this.#nextMs === Infinity) return;
    const nowMs = this.#now();
    if (nowMs < this.#nextMs) return;
    const due = [...this.#timers].filter((timer) => timer.dueMs <= nowMs);
    for (const timer of due) {
      // One that was called before it may have taken it back.
      if (!this.#timers.has(timer)) continue;
      if (timer.everyMs === 0) this.#timers.delete(timer);
      else timer.dueMs = nowMs + timer.everyMs;
      timer.call();
    }
    this.#nextMs = Infinity;
    for (const { dueMs } of this.#timers) this.#nextMs = Math.min(this.#nextMs, dueMs);
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    this.#nextMs = Math.min(this.#nextMs, timer.dueMs);
    return () => this.#timers.delete(timer);
  }

  #grained(ms: number): number {
    return Math.ceil(ms / GRAIN_MS) * GRAIN_MS;
  }
}
