import type { Endpoint } from "../../core/endpoint.ts";
import type { Keepalive, Socket } from "../contract.ts";
import {
  addressBytes,
  addressLength,
  type EndpointCell,
  endpointOf,
  hostCell,
  portCell,
} from "./endpoint_cell.ts";
import { EAGAIN, ECONNRESET, EINTR, ENOBUFS, ENOMEM, EPIPE, SystemError } from "./errno.ts";
import {
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  MSG_NOSIGNAL,
  SHUT_WR,
} from "./linux.ts";
import type { EventHandler } from "./loop.ts";
import { keepAlive, resetOnClose, sendAtOnce, takeError, unacknowledgedBytes } from "./options.ts";
import { Departure } from "./departure.ts";
import type { EngineTools } from "./tools.ts";

/** All that is ever asked of a connection, once. */
const CONNECTION_EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

/** There may be something to receive: bytes, an end, or an error. */
const READABLE = 1;
/** The peer has ended its sending side: what can be received by now is all. */
const PEER_ENDED = 2;
/** All of it was received. */
const AT_END = 4;
/** The system has noted an error, which a call will tell. */
const FAILED = 8;
/** The peer has gone as a whole. */
const HUNG_UP = 16;
/** A short read does not mean that nothing is left: it may stop at urgent data (tcp(7)), or at descriptors in a Unix socket. */
const UNSURE = 32;
/** The connection was there and is broken, which the system has told already. */
const BROKEN = 64;
const CLOSED = 128;
/** This side has ended: when the peer ends as well the system says that it has hung up. */
const SENDING_ENDED = 256;

/** Before the next try of a send that found no memory. */
const SHORT_OF_MEMORY_MS = 20;

/** Who is told when something about a socket has changed. Never throws. */
export interface SocketOwner {
  /** @param isWritable Whether there may be room for more to send. */
  onReady(socket: EpollSocket, isWritable: boolean): void;
  /** It was closed. */
  onClosed(socket: EpollSocket): void;
}

/** What receiving or sending gives when the connection is of no more use. */
export const GONE = -1;

/** TLS is opened by workers of the other engine. */
export function noTls(): TypeError {
  return new TypeError("Cannot open TLS: the engine epoll does not open TLS");
}

/** A connection. Thousands of these rest in memory at once. */
export class EpollSocket implements Socket, EventHandler {
  readonly fd: number;
  readonly tools: EngineTools;
  owner: SocketOwner | undefined;
  /** What the peer did not take yet. Nothing else is sent before. */
  held: Uint8Array<ArrayBuffer> | undefined;
  /** Sent before anything that is relayed. Declared alone, as most sockets have none. */
  declare sentFirst: Uint8Array<ArrayBuffer> | undefined;
  #state = 0;
  #sends = 0;
  #peerHost: EndpointCell;
  #peerPort = -1;
  #localHost: EndpointCell;
  #localPort = -1;

  /** Owns the descriptor from here on. */
  constructor(fd: number, tools: EngineTools) {
    this.fd = fd;
    this.tools = tools;
  }

  /**
   * Begins to tell its owner of events.
   *
   * @throws {SystemError} when the system has no room for one more.
   */
  watch(): void {
    this.tools.loop.watch(this.fd, CONNECTION_EVENTS, this);
  }

  /** Takes the peer's address from {@linkcode addressBytes}, where the call that accepted it has put it. */
  takePeer(): void {
    this.#peerHost = hostCell();
    this.#peerPort = portCell();
    if (this.#peerHost === undefined) this.#state |= UNSURE;
  }

  get peer(): Endpoint {
    if (this.#peerPort === -1 && !this.isClosed) {
      addressLength[0] = addressBytes.length;
      if (this.tools.libc.getpeername(this.fd, addressBytes, addressLength) === 0) this.takePeer();
    }
    return endpointOf(this.#peerHost, this.#peerPort);
  }

  /** Ask for it before the socket is closed; afterwards it is known only if it was asked for. */
  get local(): Endpoint {
    if (this.#localPort === -1 && !this.isClosed) {
      addressLength[0] = addressBytes.length;
      this.tools.libc.getsockname(this.fd, addressBytes, addressLength);
      this.#localHost = hostCell();
      this.#localPort = portCell();
    }
    return endpointOf(this.#localHost, this.#localPort);
  }

  get isClosed(): boolean {
    return (this.#state & CLOSED) !== 0;
  }

  /** Whether there may be something to receive. */
  get isReadable(): boolean {
    return (this.#state & READABLE) !== 0;
  }

  /** Sending has failed: there may be bytes to receive of which no event has told yet. */
  readAgain(): void {
    if (!this.isAtEnd) this.#state |= READABLE;
  }

  /** Whether nothing more can be received: the end was, or the connection is broken. */
  get isAtEnd(): boolean {
    return (this.#state & AT_END) !== 0;
  }

  /** Whether the peer has ended its sending side; there may be bytes left to receive. */
  get hasPeerEnded(): boolean {
    return (this.#state & PEER_ENDED) !== 0;
  }

  /** Whether the peer has gone as a whole; there may be bytes left to receive. */
  get hasPeerGone(): boolean {
    return (this.#state & FAILED) !== 0 || (this.#state & (HUNG_UP | SENDING_ENDED)) === HUNG_UP;
  }

  onEvents(events: number): void {
    let state = this.#state;
    if ((events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) !== 0) state |= READABLE;
    if ((events & EPOLLRDHUP) !== 0) state |= PEER_ENDED;
    if ((events & EPOLLPRI) !== 0) state |= UNSURE;
    if ((events & EPOLLERR) !== 0) state |= FAILED;
    if ((events & EPOLLHUP) !== 0) state |= HUNG_UP;
    this.#state = state;
    this.owner?.onReady(this, (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) !== 0);
  }

  /**
   * Receives into a buffer.
   *
   * @return How much; 0 when there is nothing now, or the end ({@linkcode isAtEnd}); {@linkcode GONE} when the connection is broken.
   */
  receive(buffer: Uint8Array<ArrayBuffer>): number {
    const { libc } = this.tools;
    for (;;) {
      const got = libc.recv(this.fd, buffer, buffer.length, 0);
      if (got > 0) {
        if (got < buffer.length && (this.#state & (UNSURE | FAILED)) === 0) {
          this.#state &= ~READABLE;
          if ((this.#state & PEER_ENDED) !== 0) this.#state |= AT_END;
        }
        return got;
      }
      this.#state &= ~READABLE;
      if (got === 0) {
        this.#state |= AT_END;
        return (this.#state & BROKEN) === 0 ? 0 : GONE;
      }
      const errno = libc.errno();
      if (errno === EAGAIN) return 0;
      if (errno === EINTR) continue;
      this.#state |= AT_END;
      return GONE;
    }
  }

  /**
   * Sends the first `length` bytes of {@linkcode Buffers.current}. What the system does not take is held back, and to be sent with
   * {@linkcode flush}.
   *
   * @return How much was taken; {@linkcode GONE} when the connection is broken.
   */
  send(length: number): number {
    const { buffers } = this.tools;
    const taken = this.#send(buffers.current, length);
    if (taken !== GONE && taken < length) this.held = buffers.hold(taken, length);
    return taken;
  }

  /**
   * Sends bytes of the caller, who keeps what the system does not take. Nothing may be held back.
   *
   * @return As {@linkcode send}.
   */
  sendFrom(bytes: Uint8Array<ArrayBuffer>): number {
    return this.#send(bytes, bytes.length);
  }

  /** As {@linkcode send}, of what is held back. */
  flush(): number {
    const { held } = this;
    if (held === undefined) return 0;
    const taken = this.#send(held, held.length);
    if (taken > 0) this.held = this.tools.buffers.sent(held, taken);
    return taken;
  }

  /** Drops what is held back. */
  drop(): void {
    if (this.held !== undefined) this.held = this.tools.buffers.sent(this.held, this.held.length);
  }

  preface(bytes: Uint8Array): void {
    this.sentFirst = new Uint8Array(bytes);
  }

  startTls(): never {
    throw noTls();
  }

  keepAlive(options: Keepalive): void {
    if (!this.isClosed) keepAlive(this.tools.libc, this.fd, options);
  }

  /** Ends the sending side; false when the connection is broken. */
  endSending(): boolean {
    this.#state |= SENDING_ENDED;
    return this.tools.libc.shutdown(this.fd, SHUT_WR) === 0;
  }

  /**
   * Why a connection did not come about. Undefined when it did, if only for a moment: then it is broken by now, which receiving tells
   * after all that came.
   */
  takeDialError(): SystemError | undefined {
    const errno = takeError(this.tools.libc, this.fd);
    if (errno === 0) return undefined;
    if (errno !== ECONNRESET && errno !== EPIPE) return new SystemError(errno);
    this.#state |= BROKEN;
    return undefined;
  }

  /** The number of bytes that the peer's system has not acknowledged. */
  get unacknowledged(): number {
    return unacknowledgedBytes(this.tools.libc, this.fd);
  }

  close(): void {
    if (this.isClosed) return;
    this.drop();
    this.leave();
    this.tools.loop.close(this.fd);
  }

  /** What was sent is delivered first; see departure.ts for how long that may take. */
  reset(): void {
    if (this.isClosed) return;
    this.leave();
    if (this.held === undefined && this.unacknowledged === 0) this.abort();
    else this.owner = new Departure(this, this.tools.loop.timers, this.tools.departures);
  }

  /** Closes a socket that has left its owner, so that the peer sees a reset. */
  abort(): void {
    this.owner = undefined;
    this.drop();
    resetOnClose(this.tools.libc, this.fd);
    this.tools.loop.close(this.fd);
  }

  /** For its owner it is closed from here on. */
  protected leave(): void {
    this.#state |= CLOSED;
    const { owner } = this;
    this.owner = undefined;
    owner?.onClosed(this);
  }

  #send(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    const { libc } = this.tools;
    // Nagle's algorithm can hold back nothing before the second call, so that short sessions do without this one.
    if (++this.#sends === 2) sendAtOnce(libc, this.fd);
    for (;;) {
      const taken = libc.send(this.fd, bytes, length, MSG_NOSIGNAL);
      if (taken >= 0) return taken;
      const errno = libc.errno();
      if (errno === EINTR) continue;
      if (errno === EAGAIN) return 0;
      if (errno !== ENOBUFS && errno !== ENOMEM) return GONE;
      // The machine is short of memory: no event tells when that is over.
      this.tools.loop.timers.later(SHORT_OF_MEMORY_MS, () => this.owner?.onReady(this, true));
      return 0;
    }
  }
}
