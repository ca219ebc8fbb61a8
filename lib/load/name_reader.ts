/** The name of a backend, where that is all that a reply says. */

/** The longest that a server can have is 128 characters (--name), of 4 bytes at most; then who its client is. */
const MAX_BYTES = 640;

const decoder = new TextDecoder("utf-8", { fatal: true });

export class NameReader {
  readonly #onName: (name: string) => void;
  readonly #bytes = new Uint8Array(MAX_BYTES);
  #length = 0;
  /** What was read last, and the name in it: most replies are the same. */
  #last = new Uint8Array();
  #lastName: string | undefined;

  constructor(onName: (name: string) => void) {
    this.#onName = onName;
  }

  /** Takes a part of the reply. */
  add(bytes: Uint8Array, from: number, to: number): void {
    const end = Math.min(to, from + MAX_BYTES - Math.min(this.#length, MAX_BYTES));
    for (let i = from, at = this.#length; i < end; i++, at++) this.#bytes[at] = bytes[i] as number;
    this.#length += to - from;
  }

  /** The reply has ended. @return The name that it says. */
  end(): string | undefined {
    const length = this.#length;
    this.#length = 0;
    if (length === 0 || length > MAX_BYTES) return undefined;
    if (!this.#isAsLast(length)) {
      this.#last = this.#bytes.slice(0, length);
      this.#lastName = nameIn(this.#last);
    }
    if (this.#lastName !== undefined) this.#onName(this.#lastName);
    return this.#lastName;
  }

  #isAsLast(length: number): boolean {
    if (length !== this.#last.length) return false;
    for (let i = 0; i < length; i++) if (this.#bytes[i] !== this.#last[i]) return false;
    return true;
  }
}

/** One line, without whom it was said to. */
export function nameIn(bytes: Uint8Array): string | undefined {
  try {
    const [, name] = /^([^\p{Cc}]{1,128}?)(?: \(client [^()]*\))?\r?\n$/u.exec(decoder.decode(bytes)) ?? [];
    return name;
  } catch {
    return undefined;
  }
}
