/** One buffer to receive into for all connections of a thread, and what their peers did not take. */

/** The memory that a session may have for what is held back, both directions together. */
export const MAX_HELD_BYTES = 256 * 1024;

/** As much is copied to be held back. Of more the buffer itself is kept, and another one taken in its place. */
export const COPY_BYTES = 32 * 1024;

/** What one call receives at most. One direction may keep such a buffer, while the other has room for a copy. */
export const RECEIVE_BYTES: number = MAX_HELD_BYTES - COPY_BYTES;

/** Buffers that wait to be used again. */
const MAX_SPARE = 16;

export class Buffers {
  /** What to receive into. What it holds is sent before anything else is received. */
  current: Uint8Array<ArrayBuffer> = makeBuffer();
  /** Bytes that all sessions hold back. */
  heldBytes = 0;
  readonly #spare: ArrayBuffer[] = [];

  /** Holds back a part of what was received. */
  hold(from: number, to: number): Uint8Array<ArrayBuffer> {
    const { current } = this;
    this.heldBytes += to - from;
    if (to - from <= COPY_BYTES) return current.slice(from, to);
    const spare = this.#spare.pop();
    this.current = spare === undefined ? makeBuffer() : new Uint8Array(spare);
    return current.subarray(from, to);
  }

  /** The first `bytes` of what was held back have gone; gives the rest, undefined for nothing. */
  sent(held: Uint8Array<ArrayBuffer>, bytes: number): Uint8Array<ArrayBuffer> | undefined {
    this.heldBytes -= bytes;
    const rest = bytes < held.length ? held.subarray(bytes) : undefined;
    if (held.buffer.byteLength !== RECEIVE_BYTES) return rest;
    if (rest !== undefined && rest.length > COPY_BYTES) return rest;
    // A slow reader is not to keep a whole buffer for a few bytes.
    const copy = rest?.slice();
    if (this.#spare.length < MAX_SPARE) this.#spare.push(held.buffer);
    return copy;
  }
}

/** Its memory does not move, so that a call may be given its address. */
function makeBuffer(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(RECEIVE_BYTES));
}
