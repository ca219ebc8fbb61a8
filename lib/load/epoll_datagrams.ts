import type { Endpoint } from "../core/endpoint.ts";
import { EAGAIN, EINTR, SystemError } from "../engine/epoll/errno.ts";
import type { UdpSocket, UdpSocketOwner } from "../engine/epoll/datagrams/udp_socket.ts";
import { EPOLLERR, MSG_NOSIGNAL } from "../engine/epoll/linux.ts";
import { takeError } from "../engine/epoll/options.ts";
import type { Link, LinkEvents } from "./link.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** One socket receives so many datagrams at a time; then others have their turn. */
const MAX_RECEIVES = 16;

/** After so long a datagram that the system had no room for is sent again. */
const ROOM_PAUSE_MS = 1;

/** A socket for datagrams, connected to its peer: what is sent, and what is told as received, is one of them. */
export class EpollDatagramLink implements Link, UdpSocketOwner {
  readonly #socket: UdpSocket;
  #on: LinkEvents | undefined;
  /** Those that the system has not taken. */
  readonly #unsent: Bytes[] = [];

  constructor(socket: UdpSocket) {
    this.#socket = socket;
  }

  get peer(): Endpoint {
    return this.#socket.peer;
  }

  get local(): Endpoint {
    return this.#socket.local;
  }

  get unsentBytes(): number {
    return this.#unsent.reduce((sum, { length }) => sum + length, 0);
  }

  get isClear(): boolean {
    return this.#unsent.length === 0;
  }

  begin(on: LinkEvents): void {
    this.#on = on;
    this.#socket.owner = this;
  }

  send(datagram: Bytes): void {
    if (this.#unsent.length > 0 || !this.#isSent(datagram)) this.#unsent.push(datagram);
    if (this.#unsent.length === 1) this.#later();
  }

  /** Datagrams have no end. */
  endSending(): void {}

  onReady(events: number): void {
    const { tools, fd } = this.#socket;
    const errno = (events & EPOLLERR) === 0 ? 0 : takeError(tools.libc, fd);
    // What the peer has answered before it refused comes first.
    this.#receive(errno);
  }

  onClosed(): void {}

  close(): void {
    this.#on = undefined;
    this.#socket.close();
  }

  #receive(errno: number): void {
    const { tools: { libc, loop, buffers }, fd } = this.#socket;
    for (let receives = 0; this.#on !== undefined; receives++) {
      if (receives === MAX_RECEIVES) return loop.soon(() => this.#receive(errno));
      const got = libc.recv(fd, buffers.current, buffers.current.length, 0);
      if (got >= 0) {
        this.#on.received(buffers.current, got);
        continue;
      }
      const now = libc.errno();
      if (now === EINTR) continue;
      if (now !== EAGAIN) return this.#lost(now);
      return errno === 0 ? undefined : this.#lost(errno);
    }
  }

  /** False when the system does not take it: it has no room, or tells what became of one before. */
  #isSent(datagram: Bytes): boolean {
    const { tools: { libc, loop }, fd } = this.#socket;
    if (libc.send(fd, datagram, datagram.length, MSG_NOSIGNAL) >= 0) return true;
    const errno = libc.errno();
    if (errno !== EAGAIN && errno !== EINTR) loop.soon(() => this.#lost(errno));
    return false;
  }

  #later(): void {
    this.#socket.tools.loop.timers.later(ROOM_PAUSE_MS, () => {
      if (this.#on === undefined) return;
      while (this.#unsent[0] !== undefined) {
        if (!this.#isSent(this.#unsent[0])) return this.#later();
        this.#unsent.shift();
      }
      this.#on.drained();
    });
  }

  #lost(errno: number): void {
    const on = this.#on;
    if (on === undefined) return;
    this.close();
    on.lost(new SystemError(errno));
  }
}
