// deno-lint-ignore-file no-await-in-loop -- datagrams are received in order

/** Clients and backends that speak UDP. */

import assert from "node:assert/strict";
import type { UdpAddress } from "../../lib/core/address.ts";
import { bytes, text } from "./bytes.ts";

/** A datagram that has not come by then does not come. */
const PATIENCE_MS = 10_000;

export function udpAt(port: number, host = "127.0.0.1"): UdpAddress {
  return { transport: "udp", host, port };
}

function portOf(socket: Deno.DatagramConn): number {
  return (socket.addr as Deno.NetAddr).port;
}

/** A port on which nothing listens. */
export function freeUdpPort(hostname = "127.0.0.1"): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const port = portOf(socket);
  socket.close();
  return port;
}

/** Sends from one port, and receives what comes to it. */
export class UdpClient implements Disposable {
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  #receiving: Promise<Uint8Array> | undefined;

  /** @param server Where all of its datagrams go. */
  constructor({ host, port }: UdpAddress) {
    const hostname = host.includes(":") ? "::1" : "127.0.0.1";
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    this.#to = { transport: "udp", hostname: host, port };
  }

  get port(): number {
    return portOf(this.#socket);
  }

  async send(datagram: string | Uint8Array): Promise<void> {
    const content = typeof datagram === "string" ? bytes(datagram) : datagram;
    assert.equal(await this.#socket.send(content, this.#to), content.length);
  }

  /** The next datagram. Fails when none comes. */
  async receive(): Promise<Uint8Array> {
    const received = await this.receiveWithin(PATIENCE_MS);
    return received ?? assert.fail("no datagram has come");
  }

  /** The next datagram; undefined when none comes in this time. */
  async receiveWithin(ms: number): Promise<Uint8Array | undefined> {
    const receiving = this.#receiving ??= this.#next();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), ms));
    const first = await Promise.race([receiving, late]);
    clearTimeout(timer);
    if (first !== undefined) this.#receiving = undefined;
    return first;
  }

  /** Sends this and gives the next datagram, as text. */
  async ask(question: string): Promise<string> {
    await this.send(question);
    return text(await this.receive());
  }

  async #next(): Promise<Uint8Array> {
    const [datagram, from] = await this.#socket.receive(new Uint8Array(65_535));
    const { hostname, port } = from as Deno.NetAddr;
    assert.deepEqual(
      [hostname, port],
      [this.#to.hostname, this.#to.port],
      "it comes from where it was asked",
    );
    return datagram;
  }

  [Symbol.dispose](): void {
    this.#receiving?.catch(() => {});
    this.#socket.close();
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
  { hostname = "127.0.0.1", port = 0 }: { readonly hostname?: string; readonly port?: number } = {},
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
