/** As many bytes as a datagram can have, whatever its headers (RFC 768). */
export const MAX_DATAGRAM_BYTES = 65_535;

/** Large, so that the system gives a page of it only when a datagram is put there: a buffer that waits costs nothing. */
const SLAB_BYTES = 16 * 64 * 1024;

type Buffer = Uint8Array<ArrayBuffer>;

/** Buffers that each take the largest datagram: a socket has one for as long as it is read, since there is no readiness call. */
export class DatagramBuffers {
  /** As many as were ever used at once. */
  readonly #spare: Buffer[] = [];

  take(): Buffer {
    return this.#spare.pop() ?? this.#cutSlab();
  }

  /** Takes one back; no read into it is pending. */
  giveBack(buffer: Buffer): void {
    this.#spare.push(buffer);
  }

  #cutSlab(): Buffer {
    const slab = new ArrayBuffer(SLAB_BYTES);
    for (let offset = 64 * 1024; offset < SLAB_BYTES; offset += 64 * 1024) {
      this.#spare.push(new Uint8Array(slab, offset, MAX_DATAGRAM_BYTES));
    }
    return new Uint8Array(slab, 0, MAX_DATAGRAM_BYTES);
  }
}
