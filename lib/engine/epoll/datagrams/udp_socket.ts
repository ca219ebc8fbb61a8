import { asUdp } from "../../../core/address.ts";
import type { Endpoint } from "../../../core/endpoint.ts";
import type { Socket } from "../../contract.ts";
import { addressBytes, addressLength, endpointOf, hostCell, portCell } from "../endpoint_cell.ts";
import { EPOLLET, EPOLLIN } from "../linux.ts";
import type { EventHandler } from "../loop.ts";
import type { EngineTools } from "../tools.ts";
import { noStream } from "./flow.ts";

/** Who is told of a socket. Never throws. */
export interface UdpSocketOwner {
  /** @param events As epoll tells them. */
  onReady(events: number): void;
  /** It was closed. */
  onClosed(): void;
}

/** The socket of one flow towards its backend, connected to it: only the backend's datagrams come, and ICMP messages for it. */
export class UdpSocket implements Socket, EventHandler {
  readonly fd: number;
  readonly tools: EngineTools;
  owner: UdpSocketOwner | undefined;
  isClosed = false;
  readonly unacknowledged = undefined;
  /** What came before it had an owner. */
  #events = 0;
  #peer: Endpoint | undefined;
  #local: Endpoint | undefined;

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
    this.tools.loop.watch(this.fd, EPOLLIN | EPOLLET, this);
  }

  onEvents(events: number): void {
    if (this.owner === undefined) this.#events |= events;
    else this.owner.onReady(events);
  }

  /** Has an owner from here on, who is told what came before. */
  own(owner: UdpSocketOwner): void {
    this.owner = owner;
    if (this.#events !== 0) owner.onReady(this.#events);
  }

  get peer(): Endpoint {
    return this.#peer ??= this.#ask("getpeername");
  }

  /** Ask for it before the socket is closed; afterwards it is known only if it was asked for. */
  get local(): Endpoint {
    return this.#local ??= this.#ask("getsockname");
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.tools.loop.close(this.fd);
    this.owner?.onClosed();
  }

  reset(): void {
    this.close();
  }

  keepAlive(): void {}

  preface(): never {
    throw noStream();
  }

  startTls(): never {
    throw noStream();
  }

  #ask(call: "getpeername" | "getsockname"): Endpoint {
    const { libc } = this.tools;
    return udpEndpoint(this.isClosed ? -1 : this.fd, (fd) => {
      return libc[call](fd, addressBytes, addressLength);
    });
  }
}

/** What a call says of one end of a socket. */
export function udpEndpoint(fd: number, call: (fd: number) => number): Endpoint {
  addressLength[0] = addressBytes.length;
  if (call(fd) !== 0) return { transport: "udp", host: "", port: 0 };
  const endpoint = endpointOf(hostCell(), portCell());
  return endpoint.transport === "tcp" ? asUdp(endpoint) : endpoint;
}
