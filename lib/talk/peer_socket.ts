import type { UdpAddress } from "../core/address.ts";
import { DATAGRAM_BUFFER_BYTES } from "../core/datagram.ts";
import { canonicalHost } from "../core/overlap.ts";
import { withoutZone } from "../core/zone.ts";

/** A dial to all addresses of a machine goes to the machine itself, and its answer comes from there. */
const LOOPBACK: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * A socket for the datagrams of one peer. The runtime connects none, so datagrams from elsewhere are sorted out here, and an ICMP
 * message that refuses a datagram is not seen.
 */
export class PeerSocket {
  readonly #socket: Deno.DatagramConn;
  readonly #peer: Deno.NetAddr;
  /** As the runtime says it: without a zone. */
  readonly #peerHost: string;
  readonly #buffer = new Uint8Array(DATAGRAM_BUFFER_BYTES);

  /**
   * Binds it to a port of the system's choice.
   *
   * @param peer Its host is an IP address.
   */
  constructor({ host, port }: UdpAddress) {
    const hostname = LOOPBACK[host] ?? host;
    this.#peer = { transport: "udp", hostname, port };
    this.#peerHost = canonicalHost(withoutZone(hostname));
    const all = hostname.includes(":") ? "::" : "0.0.0.0";
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: all, port: 0 });
  }

  async send(datagram: Uint8Array): Promise<void> {
    await this.#socket.send(datagram, this.#peer);
  }

  /** Gives the next datagram of the peer, which is valid until the next one is asked for. Rejects when the socket is closed. */
  async receive(): Promise<Uint8Array> {
    for (;;) {
      // deno-lint-ignore no-await-in-loop -- what comes from elsewhere is passed over
      const [datagram, from] = await this.#socket.receive(this.#buffer);
      const { hostname, port } = from as Deno.NetAddr;
      if (port === this.#peer.port && canonicalHost(hostname) === this.#peerHost) return datagram;
    }
  }

  close(): void {
    this.#socket.close();
  }
}
