import { type Address, isIPv6Address, type UdpAddress } from "../../../core/address.ts";
import type { Endpoint } from "../../../core/endpoint.ts";
import { canonicalHost } from "../../../core/overlap.ts";
import { withoutZone } from "../../../core/zone.ts";
import type { DialEvents, Socket } from "../../contract.ts";

/**
 * The socket of one flow towards its backend. The runtime cannot connect it, so that it takes datagrams from everywhere: those of
 * others are dropped here, and that nothing listens at the backend is never told.
 */
export class RuntimeUpstream implements Socket {
  readonly peer: UdpAddress;
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  /** The backend's host as the runtime writes it. */
  readonly #from: string;
  /** Told once. */
  onClosed: (() => void) | undefined;
  isClosed = false;

  /** Throws as `Deno.listenDatagram` does. */
  constructor(backend: UdpAddress) {
    const { host: hostname, port } = backend;
    this.peer = backend;
    this.#to = { transport: "udp", hostname, port };
    this.#from = withoutZone(canonicalHost(hostname));
    const any = isIPv6Address(backend) ? "::" : "0.0.0.0";
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: any, port: 0 });
  }

  /** The port is what the backend sees; which of the machine's addresses it sees is the system's choice. */
  get local(): Endpoint {
    const { hostname, port } = this.#socket.addr as Deno.NetAddr;
    return { transport: "udp", host: hostname, port };
  }

  get unacknowledged(): undefined {
    return undefined;
  }

  /** Rejects as `Deno.DatagramConn.send` does. */
  async send(datagram: Uint8Array): Promise<void> {
    await this.#socket.send(datagram, this.#to);
  }

  /**
   * Waits for the next datagram of the backend. Rejects as `Deno.DatagramConn.receive` does.
   *
   * @param buffer Takes the largest datagram.
   * @return The part of the buffer that it fills; undefined when the socket was closed.
   */
  async receive(buffer: Uint8Array): Promise<Uint8Array | undefined> {
    while (!this.isClosed) {
      try {
        // deno-lint-ignore no-await-in-loop -- datagrams are received in order
        const [datagram, from] = await this.#socket.receive(buffer);
        if (this.#isBackend(from)) return this.isClosed ? undefined : datagram;
      } catch (error) {
        if (!this.isClosed) throw error;
      }
    }
    return undefined;
  }

  #isBackend(from: Deno.Addr): boolean {
    return from.transport === "udp" && from.port === this.peer.port && from.hostname === this.#from;
  }

  keepAlive(): void {}

  preface(): void {
    throw new TypeError("Cannot send a preface: these are datagrams");
  }

  startTls(): void {
    throw new TypeError("Cannot open TLS: these are datagrams");
  }

  reset(): void {
    this.close();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#socket.close();
    this.onClosed?.();
  }
}

/**
 * As {@linkcode Engine.dial}. Nothing is sent, so that any address will do for which there can be a socket.
 *
 * @return Gives it up.
 */
export function dialUpstream(addresses: readonly [Address, ...Address[]], on: DialEvents): () => void {
  let isGivenUp = false;
  queueMicrotask(() => {
    if (isGivenUp) return;
    try {
      const made = firstUpstream(addresses);
      if (made instanceof RuntimeUpstream) on.connected(made);
      else on.dialFailed(made.error);
    } catch (fault) {
      on.fault(fault);
    }
  });
  return () => void (isGivenUp = true);
}

/** The first that can be had, or the error of the last. */
function firstUpstream(addresses: readonly Address[]): RuntimeUpstream | { readonly error: unknown } {
  let error: unknown = new TypeError("Cannot dial: there is no address for datagrams");
  for (const address of addresses) {
    if (address.transport !== "udp") continue;
    try {
      return new RuntimeUpstream(address);
    } catch (failure) {
      error = failure;
    }
  }
  return { error };
}
