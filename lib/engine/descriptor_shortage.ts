/**
 * Accepted sessions that find no file descriptor for the connection to their backend.
 *
 * They wait until a descriptor is free, and are not lost. As long as one of them waits, no new connection is accepted: it would take
 * the descriptor that becomes free.
 */

/** Between two tries. A session that ends frees two descriptors. */
const RETRY_MS = 20;

export class DescriptorShortage {
  readonly #later: (ms: number, call: () => void) => () => void;
  #waiters = 0;

  /** @param later Calls once, after so many milliseconds. Its result cancels that. */
  constructor(later: (ms: number, call: () => void) => () => void) {
    this.#later = later;
  }

  /** Whether sessions wait for a descriptor. */
  get hasWaiters(): boolean {
    return this.#waiters > 0;
  }

  /**
   * Calls after a pause, when the session may dial again.
   *
   * @return Cancels that.
   */
  wait(call: () => void): () => void {
    this.#waiters++;
    const cancel = this.#later(RETRY_MS, () => {
      this.#waiters--;
      call();
    });
    return () => {
      this.#waiters--;
      cancel();
    };
  }

  /** Resolves after a pause, when the accept loop may look at {@linkcode hasWaiters} again. */
  retryPause(): Promise<void> {
    return new Promise((resolve) => this.#later(RETRY_MS, resolve));
  }
}
