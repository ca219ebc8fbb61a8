/**
 * Several datagrams for one call (recvmmsg(2), sendmmsg(2)): struct mmsghdr, and the iovecs, addresses and control data that it points
 * to. All are 64-bit little-endian, and alike on x86-64 and arm64.
 */

import type { Libc } from "../libc.ts";
import { IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPV6_PKTINFO } from "../linux.ts";

/** Datagrams of one call. */
export const BATCH = 32;

/** More than any datagram has (RFC 768): none is cut. */
const BUFFER_BYTES = 65_536;

/** Buffers at a distance of a power of two would share their place in the processor's caches. Pages that are not used cost nothing. */
const BUFFER_STRIDE = BUFFER_BYTES + 64;

/** struct mmsghdr has 64 bytes; where its fields are, in words. */
const HEADER_BYTES = 64;
const HEADER_WORDS = HEADER_BYTES / 4;
const NAME = 0;
const NAME_LENGTH = 2;
const IOVECS = 4;
const IOVEC_COUNT = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const RECEIVED = 14;

const IOVEC_BYTES = 16;
const IOVEC_WORDS = IOVEC_BYTES / 4;

/** struct sockaddr_in6 has 28 bytes, and sockaddr_in 16. */
export const NAME_WORDS = 8;
const NAME_BYTES = 4 * NAME_WORDS;
const NAME_MAX_LENGTH = 28;

/** One cmsghdr of 16 bytes, and in_pktinfo of 12 or in6_pktinfo of 20. */
const CONTROL_BYTES = 40;
const CONTROL_WORDS = CONTROL_BYTES / 4;
const CONTROL_LEVEL = 2;
const CONTROL_TYPE = 3;
const CONTROL_DATA = 4;
const PKTINFO_BYTES = 28;
const PKTINFO6_BYTES = 36;

/** The memory for the bytes of {@linkcode BATCH} datagrams. */
export function makeBuffers(): Uint8Array<ArrayBuffer>[] {
  const memory = new ArrayBuffer(BATCH * BUFFER_STRIDE);
  return Array.from({ length: BATCH }, (_, i) => new Uint8Array(memory, i * BUFFER_STRIDE, BUFFER_BYTES));
}

/** Headers over buffers, which may be the buffers of other headers too: what was received by these is sent by those. */
export class Messages {
  readonly buffers: readonly Uint8Array<ArrayBuffer>[];
  /** The headers from the one with that index on, as calls take them. */
  readonly from: readonly Uint8Array<ArrayBuffer>[];
  /** The addresses, {@linkcode NAME_WORDS} words each. */
  readonly names = new Int32Array(new ArrayBuffer(BATCH * NAME_BYTES));
  readonly #control = new Int32Array(new ArrayBuffer(BATCH * CONTROL_BYTES));
  readonly #iovecs = new Int32Array(new ArrayBuffer(BATCH * IOVEC_BYTES));
  readonly #headers = new Int32Array(new ArrayBuffer(BATCH * HEADER_BYTES));

  /** @param hasNames Whether each has an address; without, they are those of a connected socket. */
  constructor(libc: Pick<Libc, "addressOf">, buffers: readonly Uint8Array<ArrayBuffer>[], hasNames: boolean) {
    this.buffers = buffers;
    const headers = this.#headers.buffer;
    this.from = Array.from({ length: BATCH }, (_, i) => new Uint8Array(headers, i * HEADER_BYTES));
    const addressOf = (memory: ArrayBuffer): bigint => libc.addressOf(new Uint8Array(memory));
    const [first = new Uint8Array()] = buffers;
    const [bytes, iovecs] = [addressOf(first.buffer), addressOf(this.#iovecs.buffer)];
    const [names, control] = [addressOf(this.names.buffer), addressOf(this.#control.buffer)];
    const pointers = new BigInt64Array(headers);
    const bases = new BigInt64Array(this.#iovecs.buffer);
    for (let i = 0; i < BATCH; i++) {
      const at = i * HEADER_WORDS;
      bases[(i * IOVEC_WORDS) / 2] = bytes + BigInt(buffers[i]?.byteOffset ?? 0);
      this.setLength(i, BUFFER_BYTES);
      pointers[(at + IOVECS) / 2] = iovecs + BigInt(i * IOVEC_BYTES);
      this.#headers[at + IOVEC_COUNT] = 1;
      if (!hasNames) continue;
      pointers[(at + NAME) / 2] = names + BigInt(i * NAME_BYTES);
      pointers[(at + CONTROL) / 2] = control + BigInt(i * CONTROL_BYTES);
    }
    if (hasNames) this.rearm(BATCH);
  }

  /** After the first `count` were received, with their addresses: there is room for as many again. */
  rearm(count: number): void {
    for (let i = 0, at = 0; i < count; i++, at += HEADER_WORDS) {
      this.#headers[at + NAME_LENGTH] = NAME_MAX_LENGTH;
      this.#headers[at + CONTROL_LENGTH] = CONTROL_BYTES;
    }
  }

  /** How many bytes were received. */
  received(i: number): number {
    return this.#headers[i * HEADER_WORDS + RECEIVED] as number;
  }

  /** How many bytes are to be sent. */
  setLength(i: number, bytes: number): void {
    this.#iovecs[i * IOVEC_WORDS + 2] = bytes;
  }

  /** To whom it is to be sent. */
  setName(i: number, name: Int32Array, bytes: number): void {
    const { names } = this;
    for (let word = 0, at = i * NAME_WORDS; word < name.length; word++) {
      names[at + word] = name[word] as number;
    }
    this.#headers[i * HEADER_WORDS + NAME_LENGTH] = bytes;
  }

  /**
   * Notes which address of this machine one was sent to, where the system has told it (ip(7), ipv6(7)).
   *
   * @return `into`, or another array where that does not fit; undefined when it is not told.
   */
  readLocal(i: number, into: Int32Array<ArrayBuffer> | undefined): Int32Array<ArrayBuffer> | undefined {
    if ((this.#headers[i * HEADER_WORDS + CONTROL_LENGTH] as number) < PKTINFO_BYTES) return undefined;
    const control = this.#control;
    const at = i * CONTROL_WORDS;
    const isIPv6 = control[at + CONTROL_LEVEL] === IPPROTO_IPV6;
    // Of in_pktinfo the second word is the address to answer from.
    const begin = at + CONTROL_DATA + (isIPv6 ? 0 : 1);
    const words = isIPv6 ? 4 : 1;
    const local = into?.length === words ? into : new Int32Array(words);
    for (let word = 0; word < words; word++) local[word] = control[begin + word] as number;
    return local;
  }

  /** From which address of this machine it is to be sent; undefined leaves it to the system. */
  setLocal(i: number, local: Int32Array | undefined): void {
    const header = i * HEADER_WORDS + CONTROL_LENGTH;
    if (local === undefined) {
      this.#headers[header] = 0;
      return;
    }
    const control = this.#control;
    const at = i * CONTROL_WORDS;
    const isIPv6 = local.length === 4;
    this.#headers[header] = CONTROL_BYTES;
    control[at] = isIPv6 ? PKTINFO6_BYTES : PKTINFO_BYTES;
    control[at + CONTROL_LEVEL] = isIPv6 ? IPPROTO_IPV6 : IPPROTO_IP;
    control[at + CONTROL_TYPE] = isIPv6 ? IPV6_PKTINFO : IP_PKTINFO;
    const begin = at + CONTROL_DATA;
    // The number of the interface stays 0, so that the routes decide; an in_pktinfo has it first, an in6_pktinfo last.
    control[begin] = control[begin + 2] = control[begin + 4] = 0;
    for (let word = 0; word < local.length; word++) {
      control[begin + word + (isIPv6 ? 0 : 1)] = local[word] as number;
    }
  }

  /** Puts a datagram in the place of the first that was received. */
  put(name: Int32Array, datagram: Uint8Array): void {
    this.names.fill(0, 0, NAME_WORDS);
    this.names.set(name);
    this.buffers[0]?.set(datagram);
    this.#headers[RECEIVED] = datagram.length;
    this.#headers[CONTROL_LENGTH] = 0;
  }
}
