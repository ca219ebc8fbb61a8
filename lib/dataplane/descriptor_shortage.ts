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

  /** Waits a moment, for a session; then it is worth another try. */
  async wait(): Promise<void> {
    this.#waiting++;
    await this.over();
    this.#waiting--;
  }

  /** Waits a moment, for whoever lets sessions in; then it is worth another look. */
  over(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Whether a dial failed because this process, or the system, has no file descriptor left; the backend was not even asked. */
export function isDescriptorShortage(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EMFILE" || code === "ENFILE";
}
