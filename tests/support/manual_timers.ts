/** Timers whose time is moved by the test. */
export class ManualTimers {
  nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly call: () => void }>();

  readonly later = (ms: number, call: () => void): () => void => {
    const timer = { atMs: this.nowMs + ms, call };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  /** Calls what is due, in its order, and at its time. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((one, other) => one.atMs - other.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers.delete(next);
      this.nowMs = next.atMs;
      next.call();
    }
    this.nowMs = untilMs;
  }
}
