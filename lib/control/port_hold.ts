/** Ports that the system chose for `:0`, held until the workers listen: in between, any program could be given them. */

import type { TcpAddress } from "../core/address.ts";
import type { ListenerOptions } from "../dataplane/messages.ts";
import { listenShared } from "../engine/runtime/listen.ts";

/** What the workers will have as well. */
export type HoldOptions = Pick<ListenerOptions, "backlog" | "keepalive" | "opensTls">;

/** Holds ports; see {@linkcode HeldByRuntime} and `HeldByBook`. */
export interface PortHold {
  /**
   * Listens where workers of this process will listen, together with them. Connections wait.
   *
   * @throws {RunError} when the port has been taken just now.
   */
  hold(address: TcpAddress, options: HoldOptions): Promise<void>;
  /** Call it when the workers listen, or will not. */
  release(): Promise<void>;
}

export class HeldByRuntime implements PortHold {
  readonly #held: Deno.Listener[] = [];

  async hold(address: TcpAddress, { backlog }: HoldOptions): Promise<void> {
    this.#held.push(await listenShared(address, backlog));
  }

  release(): Promise<void> {
    for (const listener of this.#held.splice(0)) listener.close();
    return Promise.resolve();
  }
}
