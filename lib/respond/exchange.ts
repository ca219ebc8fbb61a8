/** The contract of handlers that answer at once what comes: without a promise for each read, which is most of what a small one costs. */

type Bytes = Uint8Array<ArrayBuffer>;

/** What came is the answer. */
export const SAME = "same";

/** Serves one connection, as a {@linkcode Handler} does. */
export interface Exchange {
  /** Sent before anything is read. */
  readonly opening?: Bytes;
  /**
   * Takes the first `length` of these bytes, which are used again when the answer was sent.
   *
   * @return What is sent back, if anything.
   */
  received(bytes: Bytes, length: number): Bytes | typeof SAME | undefined;
  /** Whether nothing more is read: the answer was the last. */
  readonly isOver: boolean;
}
