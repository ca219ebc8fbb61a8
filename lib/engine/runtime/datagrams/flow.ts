import type { UdpAddress } from "../../../core/address.ts";
import type { Endpoint } from "../../../core/endpoint.ts";
import type { ClientSocket } from "../../contract.ts";

/** So many bytes, and one datagram more, a flow holds at most; others are dropped. */
interface Room {
  readonly datagrams: number;
  readonly bytes: number;
}

/** While there is no backend. */
const ROOM_WAITING: Room = { datagrams: 64, bytes: 64 * 1024 };

/** While there is one: many come at once when they were passed on by another worker. */
const ROOM_RELAYING: Room = { datagrams: 1_024, bytes: 1024 * 1024 };

export interface FlowOptions {
  /** The socket of the listener, through which it is answered. */
  readonly socket: Deno.DatagramConn;
  readonly client: UdpAddress;
  /** Called once. */
  readonly onClosed: () => void;
}

/** All that comes from one address and port to one listener. */
export class RuntimeFlow implements ClientSocket {
  readonly peer: UdpAddress;
  readonly #options: FlowOptions;
  readonly #to: Deno.NetAddr;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Told of each datagram that comes. */
  onDatagram: (() => void) | undefined;
  /** Told once. */
  onClosed: (() => void) | undefined;
  isClosed = false;
  dropped = 0;

  constructor(options: FlowOptions) {
    const { host: hostname, port } = options.client;
    this.#options = options;
    this.peer = options.client;
    this.#to = { transport: "udp", hostname, port };
  }

  get local(): Endpoint {
    const { hostname, port } = this.#options.socket.addr as Deno.NetAddr;
    return { transport: "udp", host: hostname, port };
  }

  get unacknowledged(): undefined {
    return undefined;
  }

  /** A datagram has come. The bytes are copied. */
  take(datagram: Uint8Array): void {
    const room = this.onDatagram === undefined ? ROOM_WAITING : ROOM_RELAYING;
    if (this.#waiting.length >= room.datagrams || this.#waitingBytes >= room.bytes) {
      this.dropped++;
      return;
    }
    this.#waiting.push(datagram.slice());
    this.#waitingBytes += datagram.length;
    this.onDatagram?.();
  }

  /** The next datagram for the backend, if there is one. */
  next(): Uint8Array | undefined {
    const datagram = this.#waiting.shift();
    this.#waitingBytes -= datagram?.length ?? 0;
    return datagram;
  }

  /** Sends a datagram to the client. Rejects as `Deno.DatagramConn.send` does. */
  async answer(datagram: Uint8Array): Promise<void> {
    await this.#options.socket.send(datagram, this.#to);
  }

  /** It has been read ahead already, and its client never leaves. */
  readAhead(): void {}

  hasEnded(): Promise<boolean> {
    return Promise.resolve(false);
  }

  keepAlive(): void {}

  firstBytes(): void {
    throw new TypeError("Cannot read first bytes: these are datagrams");
  }

  skip(): void {
    throw new TypeError("Cannot skip bytes: these are datagrams");
  }

  preface(): void {
    throw new TypeError("Cannot send a preface: these are datagrams");
  }

  startTls(): void {
    throw new TypeError("Cannot open TLS: these are datagrams");
  }

  openTls(): void {
    throw new TypeError("Cannot open TLS: these are datagrams");
  }

  reset(): void {
    this.close();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#waiting = [];
    this.#options.onClosed();
    this.onClosed?.();
  }
}
