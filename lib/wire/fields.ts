/**
 * Reads fields of binary formats from front to back, numbers in network order.
 *
 * A field that reaches beyond the end is empty or 0, and {@linkcode Fields.isShort} says so from then on; so a reader checks once,
 * after its fields, instead of after each.
 */
export class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;
  #isShort = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes not read yet; 0 once a field was too short. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Whether a field has reached beyond the end. */
  get isShort(): boolean {
    return this.#isShort;
  }

  uint8(): number {
    const at = this.#take(1);
    return at === undefined ? 0 : this.#bytes[at] ?? 0;
  }

  uint16(): number {
    const high = this.uint8();
    return high << 8 | this.uint8();
  }

  /** A view of the next bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return at === undefined ? this.#bytes.subarray(0, 0) : this.#bytes.subarray(at, at + length);
  }

  #take(length: number): number | undefined {
    const at = this.#at;
    if (length <= this.left) {
      this.#at += length;
      return at;
    }
    this.#isShort = true;
    this.#at = this.#bytes.length;
    return undefined;
  }
}
