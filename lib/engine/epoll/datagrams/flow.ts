import { asUdp, type IpAddress } from "../../../core/address.ts";
import type { Endpoint } from "../../../core/endpoint.ts";
import { ipText } from "../../../core/ip_bytes.ts";
import type { ClientSocket } from "../../contract.ts";
import { AF_INET6 } from "../linux.ts";
import { decodeEndpoint } from "../sockaddr.ts";
import type { Arrivals } from "./arrivals.ts";
import { NAME_WORDS } from "./messages.ts";
import { familyOf, isNamed, type Keyed } from "./flow_table.ts";

/** What waits in a flow for its backend; more is dropped. */
const MAX_WAITING = 64;
const MAX_WAITING_BYTES = 64 * 1024;

/** There is no way to do this with datagrams. */
export function noStream(): TypeError {
  return new TypeError("Cannot do this with datagrams: it needs a connection");
}

const words = new Int32Array(NAME_WORDS);
const bytes = new Uint8Array(words.buffer);

/** The endpoint in a struct sockaddr_in or sockaddr_in6. */
export function endpointOfName(name: Int32Array): Endpoint {
  // Its own buffer would have to be made: a small array has none until it is asked for.
  words.set(name);
  if (bytes[0] === AF_INET6) return asUdp(decodeEndpoint(bytes) as IpAddress);
  const host = `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]}`;
  return { transport: "udp", host, port: ((bytes[2] as number) << 8) | (bytes[3] as number) };
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
  passKept(datagram: Uint8Array<ArrayBuffer>): void;
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
  dropped = 0;
  readonly unacknowledged = undefined;
  /** What came before there was a backend. Either it still is where it was received, from one index to another; */
  #begin = 0;
  #end = 0;
  /** or it is kept here. */
  #kept: Uint8Array<ArrayBuffer>[] | undefined;
  #keptBytes = 0;

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

  /** There is a backend: passes on what has waited, and from then on what comes. */
  relayBy(relay: FlowSink, arrivals: Arrivals): void {
    this.relay = relay;
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept !== undefined) { for (const datagram of kept) relay.passKept(datagram); }
    else if (this.#begin < this.#end) relay.passIn(arrivals, this.#begin, this.#end);
  }

  /** The buffers are to be used again. */
  keep(arrivals: Arrivals): void {
    if (this.relay === undefined && !this.isClosed) {
      for (let i = this.#begin; i < this.#end; i++) this.#keepOne(arrivals, i);
    }
    this.#begin = this.#end = 0;
  }

  #noteLocal({ received }: Arrivals, i: number): void {
    this.localWords = received.readLocal(i, this.localWords) ?? this.localWords;
  }

  #wait(arrivals: Arrivals, i: number): void {
    if (this.#kept === undefined && this.#end === 0) {
      this.#begin = i;
      this.#end = i + 1;
      arrivals.holdFor(this);
    } else if (this.#end > 0 && this.#end === i) {
      this.#end++;
    } else {
      this.keep(arrivals);
      this.#keepOne(arrivals, i);
    }
  }

  #keepOne({ received }: Arrivals, i: number): void {
    const kept = this.#kept ??= [];
    if (kept.length >= MAX_WAITING || this.#keptBytes > MAX_WAITING_BYTES) return void this.dropped++;
    const datagram = (received.buffers[i] as Uint8Array<ArrayBuffer>).slice(0, received.received(i));
    this.#keptBytes += datagram.length;
    kept.push(datagram);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#kept = undefined;
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
