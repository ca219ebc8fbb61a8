/**
 * How listening sockets go from one process to another: who wants them listens on a Unix socket, and who has them connects and passes
 * them. Each makes sure that the other is run by the same user, or by root.
 */

import type { UnixAddress } from "../../../core/address.ts";
import { SystemError } from "../errno.ts";
import { type Libc, openLibc } from "../libc.ts";
import { raiseDescriptorLimit } from "../limit.ts";
import { AF_UNIX, SO_PEERCRED, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } from "../linux.ts";
import { encodeAddress } from "../sockaddr.ts";
import { receiveDescriptors, sendDescriptors } from "./descriptor_messages.ts";

/** Only the same user may connect. */
const MODE = 0o600;

/** Who looks whether there is still a process at the path waits here too. */
const BACKLOG = 8;

/** Those who want sockets, while they wait for them. */
export class HandoverSocket {
  readonly #libc: Libc;
  readonly #socket: number;
  readonly #path: string;
  #isClosed = false;

  /**
   * Listens at a path that is free.
   *
   * @throws {RunError} when there is no C library, or no permission for it.
   * @throws {SystemError}
   */
  constructor(address: UnixAddress) {
    this.#libc = openLibc();
    this.#path = address.path;
    raiseDescriptorLimit(this.#libc);
    try {
      this.#socket = openSocket(this.#libc);
    } catch (error) {
      this.#libc.unload();
      throw error;
    }
    try {
      const { bytes } = encodeAddress(address);
      if (this.#libc.bind(this.#socket, bytes, bytes.length) < 0) throw new SystemError(this.#libc.errno());
      // No one can connect before it listens.
      Deno.chmodSync(this.#path, MODE);
      if (this.#libc.listen(this.#socket, BACKLOG) < 0) throw new SystemError(this.#libc.errno());
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /**
   * What has been passed by now by processes that may do so, in its order; the caller closes it.
   *
   * @throws {SystemError} when the process may not have as many.
   */
  take(): number[] {
    const libc = this.#libc;
    const taken: number[] = [];
    for (;;) {
      const passer = libc.accept4(this.#socket, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (passer < 0) return taken;
      try {
        if (isTrusted(libc, passer)) taken.push(...receiveDescriptors(libc, passer));
      } finally {
        libc.close(passer);
      }
    }
  }

  /** Gives the path back. May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
    Deno.removeSync(this.#path);
  }

  #release(): void {
    this.#libc.close(this.#socket);
    this.#libc.unload();
  }
}

/**
 * Passes descriptors to the process that waits at a path; they stay open here.
 *
 * @return Whether that process may have them: it is run by the same user, or by root.
 * @throws {SystemError} when no process waits there, or it cannot take them.
 */
export function passDescriptors(libc: Libc, address: UnixAddress, descriptors: readonly number[]): boolean {
  const socket = openSocket(libc);
  try {
    const { bytes } = encodeAddress(address);
    if (libc.connect(socket, bytes, bytes.length) < 0) throw new SystemError(libc.errno());
    if (!isTrusted(libc, socket)) return false;
    sendDescriptors(libc, socket, descriptors);
    return true;
  } finally {
    libc.close(socket);
  }
}

function openSocket(libc: Libc): number {
  const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SystemError(libc.errno());
  return fd;
}

/** struct ucred is a process, its user and its group. */
function isTrusted(libc: Libc, socket: number): boolean {
  const peer = new Int32Array(3);
  const length = new Int32Array([peer.byteLength]);
  if (libc.getsockopt(socket, SOL_SOCKET, SO_PEERCRED, peer, length) < 0) return false;
  return peer[1] === 0 || peer[1] === Deno.uid();
}
