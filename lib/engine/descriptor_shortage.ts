/**
 * Sessions that were let in and find no file descriptor for the connection to their backend.
 *
 * They wait until one is free instead of being lost, and as long as one waits nobody new is let in: a descriptor that
 * becomes free is theirs.
 */

/** Between two tries; a session that ends frees two descriptors. */
const RETRY_MS = 20;

export class DescriptorShortage {
  readonly #later: (ms: number, call: () => void) => () => void;
  #waiting = 0;

  /** @param later Calls once, after so many milliseconds; what it gives takes that back. */
  constructor(later: (ms: number, call: () => void) => () => void) {
    this.#later = later;
  }

  /** Whether a session waits. */
  get hasWaiters(): boolean {
    return this.#waiting > 0;
  }

  /**
   * Calls in a moment, when it is worth another try for a session.
   *
   * @return Takes that back.
   */
  wait(call: () => void): () => void {
    this.#waiting++;
    const cancel = this.#later(RETRY_MS, () => {
      this.#waiting--;
      call();
    });
    return () => {
      this.#waiting--;
      cancel();
    };
  }

  /** Waits a moment, before others are let in; then it is worth another look. */
  over(): Promise<void> {
    return new Promise((resolve) => this.#later(RETRY_MS, resolve));
  }
}
