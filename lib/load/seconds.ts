/** The seconds of a run, put together from those of its threads. */

import { type Counted, Figures } from "./figures.ts";

/** One second of a run. */
export interface Second {
  /** From 0. */
  readonly number: number;
  /** Whether the run saw the end of it; false for the last. */
  readonly isWhole: boolean;
  /** What was counted in it. */
  readonly figures: Figures;
  /** What was counted so far. */
  readonly total: Figures;
  /** Connections that are open at its end. */
  readonly open: number;
}

interface Waiting {
  readonly figures: Figures;
  open: number;
  /** Whether a thread saw the end of it. */
  hasEnded: boolean;
}

export class Seconds {
  readonly total = new Figures();
  readonly #onSecond: (second: Second) => void;
  /** Seconds that each thread has told; all there are once it is done. */
  readonly #told: number[];
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor(threads: number, onSecond: (second: Second) => void) {
    this.#told = Array.from({ length: threads }, () => 0);
    this.#onSecond = onSecond;
  }

  /** A thread has come to the end of a second. It tells them in order. */
  add(thread: number, second: number, counted: Counted, open: number): void {
    const waiting = this.#count(second, counted);
    waiting.open += open;
    waiting.hasEnded = true;
    this.#told[thread] = second + 1;
    this.#tell();
  }

  /** A thread is done, in the second after those that it has told; the others may go on. */
  done(thread: number, counted: Counted): void {
    this.#count(this.#told[thread] ?? 0, counted);
    this.#told[thread] = Infinity;
    this.#tell();
  }

  /** All threads are done. */
  end(): void {
    const figures = new Figures();
    for (const { figures: waiting } of this.#waiting.values()) figures.add(waiting.take());
    if (figures.requests + figures.errorCount === 0) return;
    this.#onSecond({ number: this.#next, isWhole: false, figures, open: 0, total: this.total });
  }

  #count(second: number, counted: Counted): Waiting {
    this.total.add(counted);
    const waiting = this.#waiting.get(second) ?? { figures: new Figures(), open: 0, hasEnded: false };
    this.#waiting.set(second, waiting);
    waiting.figures.add(counted);
    return waiting;
  }

  /** Tells what all threads have told. */
  #tell(): void {
    const told = Math.min(...this.#told);
    for (; this.#next < told; this.#next++) {
      const waiting = this.#waiting.get(this.#next);
      if (waiting?.hasEnded !== true) return;
      this.#waiting.delete(this.#next);
      const { figures, open } = waiting;
      this.#onSecond({ number: this.#next, isWhole: true, figures, open, total: this.total });
    }
  }
}
