/**
 * The memory of relays.
 *
 * The runtime has no readiness call: a pending read holds its buffer for as long as the peer is silent. So a relay waits
 * with a small buffer and takes a larger one when a read has filled it. A large buffer that was not filled has emptied
 * the socket, so it is given back before the next wait: a session that rests after bulk data holds 8 KiB at most, and
 * bulk data that keeps coming still moves 64 KiB a call.
 */

/** What an idle direction holds. */
export const SMALL_BUFFER_BYTES = 1024;

/** What a direction holds that answers with a few kilobytes, or rests after bulk data. */
export const MEDIUM_BUFFER_BYTES = 8 * 1024;

/** What a direction moves at most in one call while it is busy. */
export const LARGE_BUFFER_BYTES = 64 * 1024;

/** Buffers are cut from slabs: small ones would otherwise cost the system and the garbage collector as much again. */
const SLAB_BYTES = LARGE_BUFFER_BYTES;

/** Unused large buffers kept for the next busy direction; more than these are left to the garbage collector. */
const MAX_SPARE_LARGE = 32;

type Buffer = Uint8Array<ArrayBuffer>;

/** Buffers of one worker. */
export class Buffers {
  /** Every free buffer; as many as were ever used at once, so that the next wave allocates nothing. */
  readonly #small: Buffer[] = [];
  readonly #medium: Buffer[] = [];
  readonly #large: Buffer[] = [];

  small(): Buffer {
    return this.#small.pop() ?? cutSlab(this.#small, SMALL_BUFFER_BYTES);
  }

  large(): Buffer {
    return this.#large.pop() ?? new Uint8Array(LARGE_BUFFER_BYTES);
  }

  /**
   * Takes a buffer back; the caller uses it no more, and no read or write on it is pending. One that was made elsewhere is left to
   * the garbage collector.
   */
  giveBack(buffer: Buffer): void {
    if (buffer.buffer.byteLength !== SLAB_BYTES) return;
    if (buffer.length === SMALL_BUFFER_BYTES) this.#small.push(buffer);
    else if (buffer.length === MEDIUM_BUFFER_BYTES) this.#medium.push(buffer);
    else if (this.#large.length < MAX_SPARE_LARGE) this.#large.push(buffer);
  }

  /** The buffer for the next read, after one that put `filled` bytes into `buffer`. */
  fitted(buffer: Buffer, filled: number): Buffer {
    switch (buffer.length) {
      case SMALL_BUFFER_BYTES:
        return filled === SMALL_BUFFER_BYTES ? this.#swap(buffer, this.#takeMedium()) : buffer;
      case MEDIUM_BUFFER_BYTES:
        if (filled === MEDIUM_BUFFER_BYTES) return this.#swap(buffer, this.large());
        return filled <= SMALL_BUFFER_BYTES ? this.#swap(buffer, this.small()) : buffer;
      default:
        return filled === LARGE_BUFFER_BYTES ? buffer : this.#swap(buffer, this.#takeMedium());
    }
  }

  #takeMedium(): Buffer {
    return this.#medium.pop() ?? cutSlab(this.#medium, MEDIUM_BUFFER_BYTES);
  }

  #swap(old: Buffer, next: Buffer): Buffer {
    this.giveBack(old);
    return next;
  }
}

/** Cuts new memory into buffers; gives one of them and leaves the others with the spare ones. */
function cutSlab(spare: Buffer[], size: number): Buffer {
  const slab = new ArrayBuffer(SLAB_BYTES);
  for (let offset = size; offset < SLAB_BYTES; offset += size) spare.push(new Uint8Array(slab, offset, size));
  return new Uint8Array(slab, 0, size);
}
