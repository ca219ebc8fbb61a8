/** Where replies end in what one connection receives. */

type Bytes = Uint8Array<ArrayBuffer>;

/** More came than was asked for, or something else. */
export const CORRUPT = -1;

/** Reads the replies of one connection. */
export interface Replies {
  /**
   * Takes what came.
   *
   * @param sent How many requests have been sent on the connection so far.
   * @return How many replies have ended with it; {@linkcode CORRUPT} when it is no reply, and then the connection is of no more use.
   */
  read(bytes: Bytes, length: number, sent: number): number;
  /** The peer has ended; whether that ends the reply that was awaited. */
  end(): boolean;
  /** Whether the peer has said that no more replies follow. */
  readonly isLast: boolean;
}
