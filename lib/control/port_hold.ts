/** Ports that the system chose for `:0`, held until the workers listen: in between, any program could be given them. */

import type { IpAddress, UdpAddress } from "../core/address.ts";
import type { ListenerOptions } from "../dataplane/messages.ts";
import { describeListenError } from "../engine/listen_error.ts";
import { listenShared } from "../engine/runtime/listen.ts";

/** What the workers will have as well. */
export type HoldOptions = Pick<ListenerOptions, "backlog" | "keepalive" | "opensTls">;

/** Holds ports; see {@linkcode HeldByRuntime} and `HeldByBook`. */
export interface PortHold {
  /**
   * Listens where workers of this process will listen, together with them. Connections wait, datagrams are lost.
   *
   * @throws {RunError} when the port has been taken just now.
   */
  hold(address: IpAddress, options: HoldOptions): Promise<void>;
  /** Call it when the workers listen, or will not. */
  release(): Promise<void>;
}

export class HeldByRuntime implements PortHold {
  readonly #held: { close(): void }[] = [];

  async hold(address: IpAddress, { backlog }: HoldOptions): Promise<void> {
    this.#held.push(address.transport === "udp" ? bindShared(address) : await listenShared(address, backlog));
  }

  release(): Promise<void> {
    for (const listener of this.#held.splice(0)) listener.close();
    return Promise.resolve();
  }
}

/** Who binds last is given the datagrams. */
function bindShared(address: UdpAddress): Deno.DatagramConn {
  const { host: hostname, port } = address;
  try {
    return Deno.listenDatagram({ transport: "udp", hostname, port, reuseAddress: true });
  } catch (error) {
    throw describeListenError(address, error);
  }
}
