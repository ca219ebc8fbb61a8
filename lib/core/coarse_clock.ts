/**
 * One coarse clock for all timeouts of a thread.
 *
 * A timer per read costs more than the read. Instead the clock ticks ten times a second, everything that has a
 * timeout is watched, and each tick asks each watched thing whether its time has come. A deadline is kept at most one
 * tick late. What is only noted as having moved is stamped by the next tick, so that its silence is noticed up to two
 * ticks late; never early.
 */

/** Between two ticks. */
export const TICK_MS = 100;

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
  readonly #watched = new Set<Watched>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(now: MonotonicNow = () => performance.now()) {
    this.#now = now;
    this.nowMs = now();
  }

  /** Ticks until {@linkcode stop}. */
  start(): void {
    this.#timer ??= setInterval(() => this.tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The time now, exactly; a system call's worth of work. */
  exactMs(): number {
    return this.#now();
  }

  watch(thing: Watched): void {
    this.#watched.add(thing);
  }

  unwatch(thing: Watched): void {
    this.#watched.delete(thing);
  }

  /** Moves on and asks everything watched. The timer calls it; a test may. */
  tick(): void {
    this.nowMs = this.#now();
    for (const thing of this.#watched) thing.onTick(this.nowMs);
  }
}
