/**
 * Sessions that were let in and find no file descriptor for the connection to their backend.
 *
 * They wait until one is free instead of being lost, and as long as one waits nobody new is let in: a descriptor that
 * becomes free is theirs.
 */

/** Between two tries; a session that ends frees two descriptors. */
const RETRY_MS = 20;

export class DescriptorShortage {
  #waiting = 0;

  /** Whether anybody waits. */
  get isFelt(): boolean {
    return this.#waiting > 0;
  }

  /**
   * Calls in a moment, when it is worth another try for a session.
   *
   * @return Takes that back.
   */
  wait(call: () => void): () => void {
    this.#waiting++;
    const timer = setTimeout(() => {
      this.#waiting--;
      call();
    }, RETRY_MS);
    return () => {
      this.#waiting--;
      clearTimeout(timer);
    };
  }

  /** Waits a moment, before others are let in; then it is worth another look. */
  over(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
