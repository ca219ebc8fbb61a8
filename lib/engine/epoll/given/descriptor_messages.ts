/**
 * Descriptors that one process passes to another over a Unix socket (SCM_RIGHTS, unix(7)): struct msghdr, one iovec and one cmsghdr. All are
 * 64-bit little-endian, and alike on x86-64 and arm64.
 */

import { EAGAIN, SystemError } from "../errno.ts";
import type { Libc } from "../libc.ts";
import {
  MSG_CMSG_CLOEXEC,
  MSG_NOSIGNAL,
  SCM_RIGHTS,
  SOL_SOCKET,
  SYS_RECVMSG,
  SYS_SENDMSG,
} from "../linux.ts";

/** The system takes 253 at once (SCM_MAX_FD). */
const MOST_AT_ONCE = 128;

/** A cmsghdr has 16 bytes: its length, level and type. */
const CMSG_BYTES = 16;
const CONTROL_BYTES = CMSG_BYTES + 4 * MOST_AT_ONCE;

/** struct msghdr has 56 bytes; where its pointers and lengths are, in words of 64 bits. */
const HEADER_BYTES = 128;
const IOVECS = 2;
const IOVEC_COUNT = 3;
const CONTROL = 4;
const CONTROL_LENGTH = 5;

/** A message has one byte beside its descriptors, and one byte is received at a time: so messages stay apart. */
const IOVEC_AT = 64;
const BYTE_AT = 96;

class Message {
  readonly header = new Uint8Array(new ArrayBuffer(HEADER_BYTES));
  readonly control = new Int32Array(new ArrayBuffer(CONTROL_BYTES));
  readonly #words = new BigInt64Array(this.header.buffer);

  constructor(libc: Libc) {
    const at = libc.addressOf(this.header);
    this.#words[IOVECS] = at + BigInt(IOVEC_AT);
    this.#words[IOVEC_COUNT] = 1n;
    this.#words[CONTROL] = libc.addressOf(new Uint8Array(this.control.buffer));
    this.#words[IOVEC_AT / 8] = at + BigInt(BYTE_AT);
    this.#words[IOVEC_AT / 8 + 1] = 1n;
    this.controlLength = CONTROL_BYTES;
  }

  get controlLength(): number {
    return Number(this.#words[CONTROL_LENGTH]);
  }

  set controlLength(bytes: number) {
    this.#words[CONTROL_LENGTH] = BigInt(bytes);
  }
}

/**
 * Sends descriptors in their order, in as many messages as that takes; they stay the sender's as well.
 *
 * @param socket Connected.
 * @throws {SystemError}
 */
export function sendDescriptors(libc: Libc, socket: number, descriptors: readonly number[]): void {
  for (let at = 0; at < descriptors.length; at += MOST_AT_ONCE) {
    const some = descriptors.slice(at, at + MOST_AT_ONCE);
    const message = new Message(libc);
    const bytes = CMSG_BYTES + 4 * some.length;
    message.controlLength = bytes;
    message.control.set([bytes, 0, SOL_SOCKET, SCM_RIGHTS, ...some]);
    if (libc.sendmsg(BigInt(SYS_SENDMSG), socket, message.header, MSG_NOSIGNAL) < 0) {
      throw new SystemError(libc.errno());
    }
  }
}

/**
 * Receives the descriptors of all messages that are there; the caller closes them.
 *
 * @param socket As {@linkcode sendDescriptors}; it does not block.
 * @throws {SystemError} when the process may not have as many; then none is left open.
 */
export function receiveDescriptors(libc: Libc, socket: number): number[] {
  const received: number[] = [];
  for (;;) {
    const message = new Message(libc);
    const count = libc.recvmsg(BigInt(SYS_RECVMSG), socket, message.header, MSG_CMSG_CLOEXEC);
    const errno = count < 0 ? libc.errno() : 0;
    if (errno === EAGAIN || count === 0) return received;
    if (errno !== 0) {
      for (const fd of received) libc.close(fd);
      throw new SystemError(errno);
    }
    const { control, controlLength } = message;
    const isRights = controlLength > CMSG_BYTES && control[2] === SOL_SOCKET && control[3] === SCM_RIGHTS;
    if (isRights) received.push(...control.subarray(CMSG_BYTES / 4, (control[0] ?? 0) / 4));
  }
}
