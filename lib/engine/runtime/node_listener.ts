/** A listener that can be closed and opened again while the program runs, and whose connections can be reset. */

import { once } from "node:events";
import { createServer, type Server } from "node:net";
import type { Address } from "../../core/address.ts";
import { isAnswered, isInUse, removeFile } from "../../core/listening.ts";
import { AcceptTrouble } from "../accept_trouble.ts";
import type { AcceptOptions } from "../contract.ts";
import { describeListenError } from "../listen_error.ts";
import { countOpenable } from "./listen.ts";
import { NodeConn } from "./node_conn.ts";

export interface NodeListenerOptions extends Pick<AcceptOptions<NodeConn>, "onTrouble"> {
  /** Settled ones. */
  readonly addresses: readonly Address[];
  readonly backlog: number;
  /** Owns the connection that it is given. */
  readonly serve: (conn: NodeConn) => void;
}

/** How often it is looked whether descriptors have run out, or are free again. */
const LOOK_MS = 100;

/** So many are to be free before it listens again. */
const SPARE_DESCRIPTORS = 16;

/**
 * At first it is closed. Steps that are asked for at once are taken one after the other.
 *
 * A server of node:net that finds no descriptor for a connection never accepts again, and tells nothing. So it is closed when
 * descriptors have run out, and opened when there are some again; meanwhile the system refuses connections.
 */
export class NodeListener {
  readonly #options: NodeListenerOptions;
  readonly #trouble: AcceptTrouble;
  readonly #connections = new Set<NodeConn>();
  #servers: readonly Server[] = [];
  #lastStep: Promise<void> = Promise.resolve();
  /** Runs while it is open, for want of descriptors or not. */
  #look: ReturnType<typeof setInterval> | undefined;
  #isShort = false;

  constructor(options: NodeListenerOptions) {
    this.#options = options;
    this.#trouble = new AcceptTrouble(options.onTrouble);
  }

  /**
   * Listens, unless it does already.
   *
   * @throws {RunError} when it cannot listen; then it is closed.
   */
  open(): Promise<void> {
    return this.#step(async () => {
      if (this.#look !== undefined) return;
      this.#servers = await this.#listen();
      this.#look = setInterval(() => this.#tick(), LOOK_MS);
    });
  }

  /** The system refuses connections from now on. Those that are open are reset. */
  close(): Promise<void> {
    return this.#step(async () => {
      clearInterval(this.#look);
      this.#look = undefined;
      this.#isShort = false;
      const closed = this.#servers.map((server) => once(server, "close"));
      this.#stopListening();
      for (const conn of this.#connections) conn.reset();
      await Promise.all(closed);
    });
  }

  #step(take: () => Promise<void>): Promise<void> {
    const step = this.#lastStep.then(take);
    this.#lastStep = step.catch(() => {});
    return step;
  }

  async #listen(): Promise<Server[]> {
    const tries = await Promise.allSettled(this.#options.addresses.map((address) => this.#listenAt(address)));
    const servers = tries.flatMap((it) => it.status === "fulfilled" ? [it.value] : []);
    const failed = tries.find((it) => it.status === "rejected");
    if (failed === undefined) return servers;
    for (const server of servers) server.close();
    throw failed.reason;
  }

  /** A stale socket file, on which no program listens, is removed. */
  async #listenAt(address: Address): Promise<Server> {
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
      // Before it is served: a whole batch is accepted before the first of it is told, and may have taken the last descriptor.
      this.#lookForDescriptors();
      this.#options.serve(conn);
    });
    const { backlog } = this.#options;
    server.listen(
      address.transport === "unix"
        ? { path: address.path, backlog }
        : { host: address.host, port: address.port, backlog },
    );
    await once(server, "listening");
    return server;
  }

  #lookForDescriptors(): void {
    if (this.#look === undefined || this.#isShort || countOpenable(1) !== 0) return;
    this.#isShort = true;
    this.#trouble.failed(new Error("Too many open files"));
  }

  #tick(): void {
    if (!this.#isShort) this.#lookForDescriptors();
    // Not earlier: what was accepted and is not told yet would be closed with it.
    else if (this.#servers.length > 0) this.#stopListening();
    else if (countOpenable(SPARE_DESCRIPTORS) === SPARE_DESCRIPTORS) {
      this.#isShort = false;
      void this.#step(() => this.#listenAgain());
    }
  }

  async #listenAgain(): Promise<void> {
    if (this.#look === undefined || this.#isShort || this.#servers.length > 0) return;
    try {
      this.#servers = await this.#listen();
      this.#trouble.accepted();
    } catch (error) {
      // It is tried again at the next look.
      this.#isShort = true;
      this.#trouble.failed(error);
    }
  }

  #stopListening(): void {
    for (const server of this.#servers) server.close();
    this.#servers = [];
  }
}
