/** A listener that can be closed and opened again while the program runs, and whose connections can be reset. */

import { once } from "node:events";
import { createServer, type Server } from "node:net";
import type { Address } from "../../core/address.ts";
import { isAnswered, isInUse, removeFile } from "../../core/listening.ts";
import { describeListenError } from "../listen_error.ts";
import { NodeConn } from "./node_conn.ts";

/** At first it is closed. Steps that are asked for at once are taken one after the other. */
export class NodeListener {
  readonly #addresses: readonly Address[];
  readonly #backlog: number;
  readonly #serve: (conn: NodeConn) => void;
  readonly #connections = new Set<NodeConn>();
  #servers: readonly Server[] = [];
  #lastStep: Promise<void> = Promise.resolve();

  /**
   * @param addresses Settled ones.
   * @param serve Owns the connection that it is given.
   */
  constructor(addresses: readonly Address[], backlog: number, serve: (conn: NodeConn) => void) {
    this.#addresses = addresses;
    this.#backlog = backlog;
    this.#serve = serve;
  }

  /**
   * Listens, unless it does already.
   *
   * @throws {RunError} when it cannot listen; then it is closed.
   */
  open(): Promise<void> {
    return this.#step(async () => {
      if (this.#servers.length > 0) return;
      const tries = await Promise.allSettled(this.#addresses.map((address) => this.#listen(address)));
      const servers = tries.flatMap((it) => it.status === "fulfilled" ? [it.value] : []);
      const failed = tries.find((it) => it.status === "rejected");
      if (failed === undefined) this.#servers = servers;
      else {
        await this.#end(servers);
        throw failed.reason;
      }
    });
  }

  /** The system refuses connections from now on. Those that are open are reset. */
  close(): Promise<void> {
    return this.#step(async () => {
      const servers = this.#servers;
      this.#servers = [];
      await this.#end(servers);
    });
  }

  #step(take: () => Promise<void>): Promise<void> {
    const step = this.#lastStep.then(take);
    this.#lastStep = step.catch(() => {});
    return step;
  }

  /** A stale socket file, on which no program listens, is removed. */
  async #listen(address: Address): Promise<Server> {
    try {
      return await this.#listenOnce(address);
    } catch (error) {
      if (address.transport !== "unix" || !isInUse(error) || await isAnswered(address.path)) {
        throw describeListenError(address, error);
      }
      await removeFile(address.path);
    }
    try {
      return await this.#listenOnce(address);
    } catch (error) {
      throw describeListenError(address, error);
    }
  }

  async #listenOnce(address: Address): Promise<Server> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const conn = new NodeConn(socket);
      this.#connections.add(conn);
      socket.on("close", () => this.#connections.delete(conn));
      this.#serve(conn);
    });
    const backlog = this.#backlog;
    server.listen(
      address.transport === "unix"
        ? { path: address.path, backlog }
        : { host: address.host, port: address.port, backlog },
    );
    await once(server, "listening");
    // What fails from now on is one connection in the backlog.
    server.on("error", () => {});
    return server;
  }

  async #end(servers: readonly Server[]): Promise<void> {
    const closed = servers.map((server) => {
      server.close();
      return once(server, "close");
    });
    for (const conn of this.#connections) conn.reset();
    await Promise.all(closed);
  }
}
