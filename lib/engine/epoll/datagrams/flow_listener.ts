import type { Endpoint } from "../../../core/endpoint.ts";
import type { AcceptOptions, ClientSocket, Listener } from "../../contract.ts";
import { encodeAddress } from "../sockaddr.ts";
import type { EngineTools } from "../tools.ts";
import { FlowSocket } from "./flow_socket.ts";
import { NAME_WORDS } from "./messages.ts";

/** Accepts the flows of a listener for datagrams. */
export class FlowListener implements Listener {
  readonly #sockets: FlowSocket[] = [];

  /**
   * @param descriptors Sockets that the process has opened for this thread, and that stay its own.
   * @throws {SystemError} when there is no descriptor left.
   */
  constructor(tools: EngineTools, descriptors: readonly number[]) {
    try {
      for (const fd of descriptors) this.#sockets.push(new FlowSocket(tools, fd));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  accept(options: AcceptOptions<ClientSocket>): Promise<void> {
    const { stop } = options;
    return new Promise((resolve) => {
      const end = (): void => {
        const isReplaced = options.isReplaced?.() ?? false;
        for (const socket of this.#sockets) socket.end(isReplaced);
        resolve();
      };
      for (const socket of this.#sockets) socket.begin(options);
      if (stop.aborted) end();
      else stop.addEventListener("abort", end, { once: true });
    });
  }

  deliver(client: Endpoint, datagram: Uint8Array): void {
    if (client.transport === "unix") return;
    const isIPv6 = client.host.includes(":");
    // A socket for IPv6 has clients with IPv4 too, whose addresses are mapped (RFC 4291, 2.5.5.2).
    const fitting = this.#sockets.filter((socket) => socket.isIPv6 || !isIPv6).map((socket) => {
      const host = socket.isIPv6 && !isIPv6 ? `::ffff:${client.host}` : client.host;
      return { socket, name: nameOf({ transport: "udp", host, port: client.port }) };
    });
    if (fitting.some(({ socket, name }) => socket.deliver(name, datagram, false))) return;
    fitting.some(({ socket, name }) => socket.deliver(name, datagram, true));
  }

  leave(): void {
    for (const socket of this.#sockets) socket.end(true);
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

/** As the system would have told it. */
function nameOf(client: Extract<Endpoint, { transport: "udp" }>): Int32Array<ArrayBuffer> {
  const name = new Uint8Array(4 * NAME_WORDS);
  name.set(encodeAddress(client).bytes);
  return new Int32Array(name.buffer);
}
