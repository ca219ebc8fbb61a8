// deno-lint-ignore-file no-await-in-loop -- datagrams are received in order

/** Clients and backends that speak UDP. */

import assert from "node:assert/strict";
import type { UdpAddress } from "../../lib/core/address.ts";
import { bytes, text } from "./bytes.ts";
import { freePort } from "./ports.ts";

/** A datagram that has not come by then does not come. */
const PATIENCE_MS = 10_000;

export function udpAt(port: number, host = "127.0.0.1"): UdpAddress {
  return { transport: "udp", host, port };
}

function portOf(socket: Deno.DatagramConn): number {
  return (socket.addr as Deno.NetAddr).port;
}

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: Deno.NetAddr;
}

/** A socket that a test reads and writes by hand. */
export class UdpPeer implements Disposable {
  readonly #socket: Deno.DatagramConn;
  readonly address: UdpAddress;
  /** What came and was not asked for yet. */
  readonly received: Datagram[] = [];
  readonly #waiting: ((datagram: Datagram) => void)[] = [];
  /** Told of each datagram, when it comes. */
  onDatagram: (datagram: Datagram) => void = () => {};

  constructor(hostname = "127.0.0.1", port = 0) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port });
    const at = this.#socket.addr as Deno.NetAddr;
    this.address = { transport: "udp", host: at.hostname, port: at.port };
    void this.#read();
  }

  get port(): number {
    return this.address.port;
  }

  /** @param to On the loopback, of its own family, where no host is said. */
  async send(
    datagram: string | Uint8Array,
    to: { readonly port: number; readonly host?: string },
  ): Promise<void> {
    const content = typeof datagram === "string" ? bytes(datagram) : datagram;
    const hostname = to.host ?? (this.address.host.includes(":") ? "::1" : "127.0.0.1");
    const sent = await this.#socket.send(content, { transport: "udp", hostname, port: to.port });
    assert.equal(sent, content.length);
  }

  /** The next that comes, or has come. */
  next(): Promise<Datagram> {
    const first = this.received.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The same; undefined when none comes in this time. */
  nextWithin(ms: number): Promise<Datagram | undefined> {
    if (this.received.length > 0) return this.next();
    return new Promise((resolve) => {
      const waiting = (datagram: Datagram): void => {
        clearTimeout(timer);
        resolve(datagram);
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        resolve(undefined);
      }, ms);
      this.#waiting.push(waiting);
    });
  }

  async nextText(): Promise<string> {
    return text((await this.next()).bytes);
  }

  /** Sends this and gives the next datagram that comes. */
  async ask(
    question: string | Uint8Array,
    to: { readonly port: number; readonly host?: string },
  ): Promise<Uint8Array> {
    await this.send(question, to);
    return (await this.next()).bytes;
  }

  async #read(): Promise<void> {
    for await (const [bytes, from] of this.#socket) {
      const datagram = { bytes, from: from as Deno.NetAddr };
      this.onDatagram(datagram);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.received.push(datagram);
      else waiting(datagram);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** Sends back what comes. */
export function startUdpEcho(hostname?: string): UdpPeer {
  const peer = new UdpPeer(hostname);
  peer.onDatagram = ({ bytes, from }) => {
    peer.received.length = 0;
    void peer.send(bytes, { host: from.hostname, port: from.port });
  };
  return peer;
}

/** Sends from one port to one server, and receives what comes from there. */
export class UdpClient implements Disposable {
  readonly #peer: UdpPeer;
  readonly #server: UdpAddress;

  /** @param server Where all of its datagrams go. */
  constructor(server: UdpAddress) {
    this.#peer = new UdpPeer(server.host.includes(":") ? "::1" : "127.0.0.1");
    this.#server = server;
  }

  get port(): number {
    return this.#peer.port;
  }

  async send(datagram: string | Uint8Array): Promise<void> {
    await this.#peer.send(datagram, this.#server);
  }

  /** The next datagram. Fails when none comes. */
  async receive(): Promise<Uint8Array> {
    const received = await this.receiveWithin(PATIENCE_MS);
    return received ?? assert.fail("no datagram has come");
  }

  /** The next datagram; undefined when none comes in this time. */
  async receiveWithin(ms: number): Promise<Uint8Array | undefined> {
    const datagram = await this.#peer.nextWithin(ms);
    if (datagram === undefined) return undefined;
    const { bytes, from: { hostname, port } } = datagram;
    const { host } = this.#server;
    assert.deepEqual([hostname, port], [host, this.#server.port], "it comes from where it was asked");
    return bytes;
  }

  /** Sends this and gives the next datagram, as text. */
  async ask(question: string): Promise<string> {
    await this.send(question);
    return text(await this.receive());
  }

  [Symbol.dispose](): void {
    this.#peer[Symbol.dispose]();
  }
}

export interface UdpBackend extends Disposable {
  readonly port: number;
  readonly address: string;
  /** What has come, in order: the port that it came from, and what it was. */
  readonly received: { readonly from: number; readonly datagram: Uint8Array }[];
}

/** @param answer What is sent back for a datagram, in order. */
export function startUdpBackend(
  answer: (datagram: Uint8Array) => readonly (string | Uint8Array)[],
  { hostname = "127.0.0.1", port = freePort() }: { readonly hostname?: string; readonly port?: number } = {},
): UdpBackend {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port });
  const received: UdpBackend["received"][number][] = [];
  let isClosed = false;
  const serve = async (): Promise<void> => {
    const buffer = new Uint8Array(65_535);
    for (;;) {
      const [datagram, from] = await socket.receive(buffer);
      received.push({ from: (from as Deno.NetAddr).port, datagram: datagram.slice() });
      for (const it of answer(datagram)) await socket.send(typeof it === "string" ? bytes(it) : it, from);
    }
  };
  serve().catch((error) => {
    if (!isClosed) throw error;
  });
  return {
    port: portOf(socket),
    address: `${hostname}:${portOf(socket)}`,
    received,
    [Symbol.dispose]: () => {
      if (isClosed) return;
      isClosed = true;
      socket.close();
    },
  };
}

/** A backend that answers with its name, and what it was asked: `a:hello`. */
export function startNamedUdpBackend(name: string, options?: { readonly port?: number }): UdpBackend {
  return startUdpBackend((datagram) => [`${name}:${text(datagram)}`], options);
}
