/**
 * Finds the ClientHello at the beginning of a TLS connection, in whatever records and segments it comes. Pure.
 *
 * Records: RFC 8446, 5.1. Nothing is consumed: the caller passes on all bytes.
 */

import { type ClientHello, readHelloMessage } from "./hello_message.ts";
import { Malformed } from "./malformed.ts";

export type { ClientHello } from "./hello_message.ts";

/**
 * Read as many bytes ahead for a ClientHello, the headers of its records among them; a longer one is malformed. Enough for one of
 * 16 KiB in records of usual size, and for one of 3 KiB in records of a single byte.
 */
export const MAX_CLIENT_HELLO_BYTES: number = 20 * 1024;

/** `not_tls`: another protocol, to be told by its first two bytes; the hello of SSL 2.0 is one as well. */
export type HelloAnswer = ClientHello | "incomplete" | "not_tls" | Malformed;

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
/** The first byte of a record's version; the second one is to be ignored. */
const VERSION_MAJOR = 3;
const RECORD_HEADER_BYTES = 5;
const MAX_RECORD_BYTES = 2 ** 14;
const MESSAGE_HEADER_BYTES = 4;

/**
 * Reads one ClientHello while it comes.
 *
 * It remembers how far it has looked at records, and looks into the message once, when it is whole: so all calls together take time
 * in proportion to the bytes, also when each byte comes alone or in a record of its own. It keeps no bytes.
 */
export class ClientHelloReader {
  /** Where in the stream to look next: at a record's header, or within its payload. */
  #at = 0;
  /** Bytes of the payload of that record from there on. */
  #recordLeft = 0;
  /** Bytes of the message that have come, its header among them. */
  #seen = 0;
  /** Of the message, with its header; grows while that header comes, and is valid after it. */
  #messageBytes = 0;
  #answer: HelloAnswer = "incomplete";

  /**
   * Call it again with more whenever more has come, until the answer is another one than `incomplete`; it stays the same then. Never
   * throws. `incomplete` means that more bytes are needed to tell, and never comes for {@linkcode MAX_CLIENT_HELLO_BYTES} or more.
   *
   * @param bytes All that has come so far: those of the last call, and more.
   */
  take(bytes: Uint8Array): HelloAnswer {
    if (this.#answer === "incomplete") this.#answer = this.#read(bytes);
    return this.#answer;
  }

  #read(bytes: Uint8Array): HelloAnswer {
    while (this.#at < bytes.length) {
      const answer = this.#recordLeft === 0 ? this.#enterRecord(bytes) : this.#passPayload(bytes);
      if (answer !== undefined) return answer;
      if (this.#leastBytes > MAX_CLIENT_HELLO_BYTES) return tooLong();
      if (this.#isWhole) return readHelloMessage(messageOf(bytes, this.#messageBytes));
    }
    return "incomplete";
  }

  get #isWhole(): boolean {
    return this.#seen >= MESSAGE_HEADER_BYTES && this.#seen === this.#messageBytes;
  }

  /** Bytes of the stream until the message is whole, when the records to come are as large as can be. */
  get #leastBytes(): number {
    if (this.#seen < MESSAGE_HEADER_BYTES) return this.#at;
    const missing = this.#messageBytes - this.#seen;
    const records = Math.max(0, Math.ceil((missing - this.#recordLeft) / MAX_RECORD_BYTES));
    return this.#at + missing + records * RECORD_HEADER_BYTES;
  }

  #enterRecord(bytes: Uint8Array): HelloAnswer | undefined {
    const header = bytes.subarray(this.#at, this.#at + RECORD_HEADER_BYTES);
    const [type, major, , high = 0, low = 0] = header;
    if (type !== HANDSHAKE_RECORD || (major !== undefined && major !== VERSION_MAJOR)) {
      return this.#at === 0
        ? "not_tls"
        : new Malformed("another TLS record comes before the end of the ClientHello");
    }
    if (header.length < RECORD_HEADER_BYTES) return "incomplete";
    const length = high << 8 | low;
    if (length === 0) return new Malformed("a TLS record of the ClientHello is empty");
    if (length > MAX_RECORD_BYTES) {
      return new Malformed(`a TLS record of the ClientHello is longer than ${MAX_RECORD_BYTES} bytes`);
    }
    this.#at += RECORD_HEADER_BYTES;
    this.#recordLeft = length;
    return undefined;
  }

  #passPayload(bytes: Uint8Array): HelloAnswer | undefined {
    if (this.#seen < MESSAGE_HEADER_BYTES) return this.#takeMessageHeader(bytes[this.#at] ?? 0);
    this.#pass(Math.min(this.#messageBytes - this.#seen, this.#recordLeft, bytes.length - this.#at));
    return undefined;
  }

  /** A type of one byte and a length of three. */
  #takeMessageHeader(byte: number): HelloAnswer | undefined {
    if (this.#seen === 0 && byte !== CLIENT_HELLO) {
      return new Malformed("the first TLS message is no ClientHello");
    }
    if (this.#seen > 0) this.#messageBytes = this.#messageBytes << 8 | byte;
    this.#pass(1);
    if (this.#seen === MESSAGE_HEADER_BYTES) this.#messageBytes += MESSAGE_HEADER_BYTES;
    return undefined;
  }

  #pass(length: number): void {
    this.#at += length;
    this.#recordLeft -= length;
    this.#seen += length;
  }
}

function tooLong(): Malformed {
  return new Malformed(`the ClientHello is longer than ${MAX_CLIENT_HELLO_BYTES} bytes`);
}

/** The body of the message, out of records that are known to hold all of it. */
function messageOf(bytes: Uint8Array, messageBytes: number): Uint8Array {
  const message = new Uint8Array(messageBytes);
  let filled = 0;
  for (let at = 0; filled < messageBytes;) {
    const length = (bytes[at + 3] ?? 0) << 8 | (bytes[at + 4] ?? 0);
    const part = bytes.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length);
    const fitting = part.subarray(0, messageBytes - filled);
    message.set(fitting, filled);
    filled += fitting.length;
    at += RECORD_HEADER_BYTES + length;
  }
  return message.subarray(MESSAGE_HEADER_BYTES);
}
