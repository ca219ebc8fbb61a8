/**
 * One coarse clock for all timeouts of a thread.
 *
 * A timer per read costs more than the read. Instead the clock ticks ten times a second, everything that has a
 * timeout is watched, and each tick asks each watched thing whether its time has come. A deadline is kept at most one
 * tick late. What is only noted as having moved is stamped by the next tick, so that its silence is noticed up to two
 * ticks late; never early.
 */

import { type Every, every } from "./every.ts";

/** Between two ticks. */
export const TICK_MS = 100;

/**
 * A tick that comes later than this shows that the whole process stood still: it was stopped (SIGSTOP), its machine paused,
 * or one turn of the event loop took that long. Time stands still with it. Otherwise every timeout would judge by a silence
 * that was our own, before anything that has arrived meanwhile is looked at.
 */
const GAP_MS = 1_000;

/** Something with timeouts. `onTick` runs often and must not throw; it may unwatch itself. */
export interface Watched {
  onTick(nowMs: number): void;
}

/** Milliseconds that only go forward (not the time of day). */
export type MonotonicNow = () => number;

export class CoarseClock {
  /** The time of the last tick; reading it costs nothing. */
  nowMs: number;
  readonly #now: MonotonicNow;
  /** When the time was last looked at, and how long it has stood still so far. */
  #lookedMs: number;
  #skippedMs = 0;
  readonly #watched = new Set<Watched>();
  /** Ends the ticking; undefined while it does not tick. */
  #end: (() => void) | undefined;

  constructor(now: MonotonicNow = () => performance.now()) {
    this.#now = now;
    this.nowMs = this.#lookedMs = now();
  }

  /**
   * Ticks until {@linkcode stop}.
   *
   * @param repeat What makes it tick.
   */
  start(repeat: Every = every): void {
    this.#lookedMs = this.#now();
    this.#end ??= repeat(TICK_MS, () => this.tick());
  }

  stop(): void {
    this.#end?.();
    this.#end = undefined;
  }

  /** The time now, exactly; a system call's worth of work. For a clock that ticks. */
  exactMs(): number {
    const now = this.#now();
    const passedMs = now - this.#lookedMs;
    if (passedMs > GAP_MS && this.#end !== undefined) this.#skippedMs += passedMs - TICK_MS;
    this.#lookedMs = now;
    return now - this.#skippedMs;
  }

  watch(thing: Watched): void {
    this.#watched.add(thing);
  }

  unwatch(thing: Watched): void {
    this.#watched.delete(thing);
  }

  /** Moves on and asks everything watched. The timer calls it; a test may. */
  tick(): void {
    this.nowMs = this.exactMs();
    for (const thing of this.#watched) thing.onTick(this.nowMs);
  }
}
