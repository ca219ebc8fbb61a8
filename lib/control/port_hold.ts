/** Ports that the system chose for `:0`, held until the workers listen: in between, any program could be given them. */

import type { TcpAddress } from "../core/address.ts";
import { listenShared } from "../engine/runtime/listen.ts";

export class PortHold {
  readonly #held: Deno.Listener[] = [];

  /**
   * Listens where workers of this process will listen, together with them. Connections wait.
   *
   * @throws {RunError} when the port has been taken just now.
   */
  async hold(address: TcpAddress, backlog: number): Promise<void> {
    this.#held.push(await listenShared(address, backlog));
  }

  /** Call it when the workers listen, or will not. */
  release(): void {
    for (const listener of this.#held.splice(0)) listener.close();
  }
}
