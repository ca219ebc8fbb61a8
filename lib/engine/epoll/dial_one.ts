/** One attempt to reach one address. */

import { type Address, isIPv6Address } from "../../core/address.ts";
import type { NextSource } from "../../core/next_source.ts";
import { zoneOf } from "../../core/zone.ts";
import type { DialEvents } from "../contract.ts";
import { UdpSocket } from "./datagrams/udp_socket.ts";
import { EADDRNOTAVAIL, EAGAIN, EINPROGRESS, SystemError } from "./errno.ts";
import { SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM } from "./linux.ts";
import { bindTo } from "./source.ts";
import { encodeAddress, type SocketAddress } from "./sockaddr.ts";
import { EpollSocket, type SocketOwner } from "./socket.ts";
import type { EngineTools } from "./tools.ts";
import { zoneIndex } from "./zone_index.ts";

/** Between two tries at a Unix socket whose queue is full: with TCP the system itself tries again. */
const QUEUE_RETRY_MS = 20;

/** Dials until it is told of one of its events, or gives up. */
export class DialOne implements SocketOwner {
  readonly #tools: EngineTools;
  readonly #address: Address;
  readonly #on: DialEvents;
  readonly #source: NextSource | undefined;
  #socket: EpollSocket | UdpSocket | undefined;
  #isOver = false;

  /** Nothing is told before the constructor has returned. */
  constructor(tools: EngineTools, address: Address, on: DialEvents, source?: NextSource) {
    this.#tools = tools;
    this.#address = address;
    this.#on = on;
    this.#source = source;
    this.#begin();
  }

  /** Nothing is told any more, and nothing of it stays open. */
  cancel(): void {
    this.#isOver = true;
    this.#socket?.close();
  }

  onReady(socket: EpollSocket, isWritable: boolean): void {
    // A connection that was there, if only for a moment, is the relay's to judge.
    const error = socket.hasPeerGone ? socket.takeDialError() : undefined;
    if (error !== undefined) return this.#fail(error);
    if (!isWritable) return;
    socket.owner = undefined;
    this.#connected(socket);
  }

  onClosed(): void {}

  #begin(): void {
    if (this.#isOver) return;
    const { libc, loop } = this.#tools;
    const { family, bytes } = encoded(this.#tools, this.#address);
    try {
      if (this.#address.transport === "udp") return this.#connectDatagrams(family, bytes);
      const fd = loop.adopt(libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const socket = this.#socket = new EpollSocket(fd, this.#tools);
      socket.owner = this;
      if (this.#address.transport === "tcp") bindTo(libc, fd, this.#source?.(isIPv6Address(this.#address)));
      const errno = libc.connect(fd, bytes, bytes.length) < 0 ? libc.errno() : 0;
      if (errno === EAGAIN && this.#address.transport === "unix") return this.#beginAgain(socket);
      if (errno !== 0 && errno !== EINPROGRESS) throw new SystemError(errno);
      socket.watch();
    } catch (error) {
      loop.soon(() => this.#fail(error));
    }
  }

  /** Nothing is sent for it: whether a backend is there shows when it is sent something. */
  #connectDatagrams(family: number, bytes: Uint8Array<ArrayBuffer>): void {
    const { libc, loop } = this.#tools;
    const fd = loop.adopt(libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const socket = this.#socket = new UdpSocket(fd, this.#tools);
    bindTo(libc, fd, this.#source?.(isIPv6Address(this.#address)));
    if (libc.connect(fd, bytes, bytes.length) < 0) {
      const errno = libc.errno();
      // So the system says that no port is left.
      throw new SystemError(errno === EAGAIN ? EADDRNOTAVAIL : errno);
    }
    socket.watch();
    loop.soon(() => this.#connected(socket));
  }

  #connected(socket: EpollSocket | UdpSocket): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket = undefined;
    if (this.#tools.remembersLocal) void socket.local;
    try {
      this.#on.connected(socket);
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  /** The queue of a Unix socket is full. */
  #beginAgain(socket: EpollSocket): void {
    socket.close();
    this.#tools.loop.timers.later(QUEUE_RETRY_MS, () => this.#begin());
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.cancel();
    try {
      this.#on.dialFailed(error);
    } catch (fault) {
      this.#on.fault(fault);
    }
  }
}

/** Backends are dialled again and again, and their addresses are objects that stay. */
const known = new WeakMap<Address, SocketAddress>();

function encoded({ libc }: EngineTools, address: Address): SocketAddress {
  const before = known.get(address);
  if (before !== undefined) return before;
  const made = encodeAddress(address, zoneIndex(libc, address));
  // An interface may come later, and has another number when it comes back.
  if (address.transport === "unix" || zoneOf(address.host) === undefined) known.set(address, made);
  return made;
}
