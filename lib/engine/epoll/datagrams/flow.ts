import { asUdp } from "../../../core/address.ts";
import type { Endpoint } from "../../../core/endpoint.ts";
import { ipText } from "../../../core/ip_bytes.ts";
import type { ClientSocket } from "../../contract.ts";
import { AF_INET6 } from "../linux.ts";
import { decodeEndpoint } from "../sockaddr.ts";
import type { Arrivals } from "./arrivals.ts";
import { familyOf, isNamed, type Keyed } from "./flow_table.ts";

/** What waits in a flow for its backend; more is dropped. */
const MAX_WAITING = 64;
const MAX_WAITING_BYTES = 64 * 1024;

const NOTHING: readonly Uint8Array<ArrayBuffer>[] = [];

/** There is no way to do this with datagrams. */
export function noStream(): TypeError {
  return new TypeError("Cannot do this with datagrams: it needs a connection");
}

/** The endpoint in a struct sockaddr_in or sockaddr_in6. */
export function endpointOfName(name: Int32Array<ArrayBuffer>): Endpoint {
  const endpoint = decodeEndpoint(new Uint8Array(name.buffer, name.byteOffset, name.byteLength));
  return endpoint.transport === "tcp" ? asUdp(endpoint) : endpoint;
}

/** The socket to which a flow comes. */
export interface FlowSource {
  readonly fd: number;
  readonly local: Endpoint;
  /** Whether it is bound to all addresses, so that each datagram comes with the one that it was sent to. */
  readonly tellsLocal: boolean;
  /** A flow was closed. */
  forget(flow: Flow): void;
}

/** Passes the datagrams of a flow on. */
export interface FlowSink {
  /** As {@linkcode Flow.receive}. */
  passIn(arrivals: Arrivals, begin: number, end: number): number;
  /** The flow was closed. */
  onClosed(): void;
}

/** All that comes from one client to one socket. Thousands of these rest in memory at once. */
export class Flow implements ClientSocket, Keyed {
  readonly socket: FlowSource;
  readonly name: Int32Array<ArrayBuffer>;
  /** How many bytes of it the system takes as an address. */
  readonly nameBytes: number;
  /** The address of this machine that the client has asked last, where the socket has them all: the answer comes from there. */
  localWords: Int32Array<ArrayBuffer> | undefined;
  /** Undefined before there is a backend. */
  relay: FlowSink | undefined;
  isClosed = false;
  readonly unacknowledged = undefined;
  /** What came before there was a backend. */
  #waiting: Uint8Array<ArrayBuffer>[] | undefined;
  #waitingBytes = 0;

  /** @param name The client's address, which it keeps. */
  constructor(socket: FlowSource, name: Int32Array<ArrayBuffer>) {
    this.socket = socket;
    this.name = name;
    this.nameBytes = familyOf(name, 0) === AF_INET6 ? 28 : 16;
  }

  get peer(): Endpoint {
    return endpointOfName(this.name);
  }

  get local(): Endpoint {
    const { local } = this.socket;
    const words = this.localWords;
    if (words === undefined || local.transport !== "udp") return local;
    return { ...local, host: ipText(new Uint8Array(words.buffer)) };
  }

  /** Whether the address at a place of `names` is its client's. */
  isFrom(names: Int32Array, at: number): boolean {
    return isNamed(this.name, names, at);
  }

  /**
   * Passes on datagrams of its client, or keeps them until it can.
   *
   * @return How many are dealt with; none when the backend turned out to be gone, and the flow was closed for it.
   */
  receive(arrivals: Arrivals, begin: number, end: number): number {
    if (this.socket.tellsLocal) this.#noteLocal(arrivals, end - 1);
    if (this.relay !== undefined) return this.relay.passIn(arrivals, begin, end);
    for (let i = begin; i < end; i++) this.#wait(arrivals, i);
    return end - begin;
  }

  /** Gives what has waited. */
  takeWaiting(): readonly Uint8Array<ArrayBuffer>[] {
    const waiting = this.#waiting ?? NOTHING;
    this.#waiting = undefined;
    return waiting;
  }

  #noteLocal({ received }: Arrivals, i: number): void {
    this.localWords = received.readLocal(i, this.localWords) ?? this.localWords;
  }

  #wait({ received }: Arrivals, i: number): void {
    const waiting = this.#waiting ??= [];
    if (waiting.length >= MAX_WAITING || this.#waitingBytes > MAX_WAITING_BYTES) return;
    const datagram = (received.buffers[i] as Uint8Array<ArrayBuffer>).slice(0, received.received(i));
    this.#waitingBytes += datagram.length;
    waiting.push(datagram);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#waiting = undefined;
    this.socket.forget(this);
    this.relay?.onClosed();
  }

  /** There is no way to tell a client. */
  reset(): void {
    this.close();
  }

  /** Nothing tells that a client has gone. */
  readAhead(): void {}

  hasEnded(): Promise<boolean> {
    return Promise.resolve(false);
  }

  keepAlive(): void {}

  preface(): never {
    throw noStream();
  }

  firstBytes(): never {
    throw noStream();
  }

  skip(): never {
    throw noStream();
  }

  openTls(): never {
    throw noStream();
  }

  startTls(): never {
    throw noStream();
  }
}
