/** A socket for datagrams that a test reads and writes by hand. */

import assert from "node:assert/strict";
import type { UdpAddress } from "../../lib/core/address.ts";
import { text } from "./bytes.ts";

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: Deno.NetAddr;
}

export class UdpPeer implements Disposable {
  readonly #conn: Deno.DatagramConn;
  readonly address: UdpAddress;
  /** What came and was not asked for yet. */
  readonly received: Datagram[] = [];
  readonly #waiting: ((datagram: Datagram) => void)[] = [];
  /** Told of each datagram, when it comes. */
  onDatagram: (datagram: Datagram) => void = () => {};

  constructor(hostname = "127.0.0.1", port = 0) {
    this.#conn = Deno.listenDatagram({ transport: "udp", hostname, port });
    const at = this.#conn.addr as Deno.NetAddr;
    this.address = { transport: "udp", host: at.hostname, port: at.port };
    void this.#read();
  }

  async #read(): Promise<void> {
    for await (const [bytes, from] of this.#conn) {
      const datagram = { bytes, from: from as Deno.NetAddr };
      this.onDatagram(datagram);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.received.push(datagram);
      else waiting(datagram);
    }
  }

  async send(bytes: Uint8Array | string, { port, host }: { port: number; host?: string }): Promise<void> {
    const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    const sent = await this.#conn.send(data, { transport: "udp", hostname: host ?? "127.0.0.1", port });
    assert.equal(sent, data.length);
  }

  /** The next that comes, or has come. */
  next(): Promise<Datagram> {
    const first = this.received.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async nextText(): Promise<string> {
    return text((await this.next()).bytes);
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** A backend that sends everything back. */
export function startUdpEcho(hostname?: string): UdpPeer {
  const peer = new UdpPeer(hostname);
  peer.onDatagram = ({ bytes, from }) => {
    peer.received.length = 0;
    void peer.send(bytes, { host: from.hostname, port: from.port });
  };
  return peer;
}

/** A port of the loopback that no socket for datagrams has now. */
export function freeUdpPort(hostname = "127.0.0.1"): number {
  const conn = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  conn.close();
  return (conn.addr as Deno.NetAddr).port;
}
