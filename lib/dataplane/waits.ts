/** Between two ends of waits. */
export const GRAIN_MS = 4;

/** Many waits of one thread by few timers: those that are over within 4 ms of each other end together, in the order of their beginning. */
export class Waits {
  readonly #later: (ms: number, call: () => void) => () => void;
  readonly #now: () => number;
  /** By when they are over, in grains. */
  readonly #slots = new Map<number, { readonly calls: Set<() => void>; readonly cancel: () => void }>();

  /**
   * @param later As {@linkcode Engine.later}.
   * @param now Milliseconds of a clock that only goes forward.
   */
  constructor(
    later: (ms: number, call: () => void) => () => void,
    now: () => number = () => performance.now(),
  ) {
    this.#later = later;
    this.#now = now;
  }

  /**
   * Calls once, after so many milliseconds or a little later.
   *
   * @param call Unlike all others that wait.
   * @return Takes that back.
   */
  begin(ms: number, call: () => void): () => void {
    const nowMs = this.#now();
    const at = Math.ceil((nowMs + ms) / GRAIN_MS);
    let slot = this.#slots.get(at);
    if (slot === undefined) {
      const cancel = this.#later(Math.ceil(at * GRAIN_MS - nowMs), () => this.#end(at));
      this.#slots.set(at, slot = { calls: new Set(), cancel });
    }
    const { calls, cancel } = slot;
    calls.add(call);
    return () => {
      if (!calls.delete(call) || calls.size > 0 || this.#slots.get(at)?.calls !== calls) return;
      this.#slots.delete(at);
      cancel();
    };
  }

  #end(at: number): void {
    const calls = this.#slots.get(at)?.calls ?? [];
    this.#slots.delete(at);
    for (const call of calls) call();
  }
}
