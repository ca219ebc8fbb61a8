/**
 * The memory of relays.
 *
 * The runtime has no readiness call: a pending read holds its buffer for as long as the peer is silent. So a relay waits
 * with a small buffer, changes to a large one when a read has filled it, and goes back to the small one as soon as a
 * read would have fitted into it. Idle sessions then cost little and bulk transfers still move 64 KiB a call.
 */

/** What an idle direction holds. */
export const SMALL_BUFFER_BYTES = 1024;

/** What a direction moves at most in one call while it is busy. */
export const LARGE_BUFFER_BYTES = 64 * 1024;

/** Small buffers are cut from slabs: each would otherwise cost the system and the garbage collector as much again. */
const SLAB_BYTES = 64 * 1024;

/** Unused large buffers kept for the next busy direction; more than these are left to the garbage collector. */
const MAX_SPARE_LARGE = 32;

/** Buffers of one worker. */
export class Buffers {
  /** Every small buffer that nobody uses; as many as were ever used at once, so that the next wave allocates nothing. */
  readonly #small: Uint8Array<ArrayBuffer>[] = [];
  readonly #large: Uint8Array<ArrayBuffer>[] = [];

  small(): Uint8Array<ArrayBuffer> {
    if (this.#small.length === 0) this.#cutSlab();
    return this.#small.pop() ?? new Uint8Array(SMALL_BUFFER_BYTES);
  }

  large(): Uint8Array<ArrayBuffer> {
    return this.#large.pop() ?? new Uint8Array(LARGE_BUFFER_BYTES);
  }

  /** Takes a buffer back; the caller uses it no more, and no read or write on it is pending. */
  giveBack(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer.length === SMALL_BUFFER_BYTES) this.#small.push(buffer);
    else if (this.#large.length < MAX_SPARE_LARGE) this.#large.push(buffer);
  }

  /** The buffer for the next read, after one that put `filled` bytes into `buffer`. */
  fitted(buffer: Uint8Array<ArrayBuffer>, filled: number): Uint8Array<ArrayBuffer> {
    if (filled === SMALL_BUFFER_BYTES && buffer.length === SMALL_BUFFER_BYTES) {
      return this.#swap(buffer, this.large());
    }
    if (filled < SMALL_BUFFER_BYTES && buffer.length === LARGE_BUFFER_BYTES) {
      return this.#swap(buffer, this.small());
    }
    return buffer;
  }

  #swap(old: Uint8Array<ArrayBuffer>, next: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    this.giveBack(old);
    return next;
  }

  #cutSlab(): void {
    const slab = new ArrayBuffer(SLAB_BYTES);
    for (let offset = 0; offset < SLAB_BYTES; offset += SMALL_BUFFER_BYTES) {
      this.#small.push(new Uint8Array(slab, offset, SMALL_BUFFER_BYTES));
    }
  }
}
