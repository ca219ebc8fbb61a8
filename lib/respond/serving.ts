/** What a server does with connections that were accepted: greets each, and hands it to what serves it. */

import { CoarseClock } from "../core/coarse_clock.ts";
import { chunks } from "../core/connection.ts";
import { formatEndpoint } from "../core/endpoint.ts";
import { reasonOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";
import type { Accepting, ServedSocket } from "./accepting.ts";
import { greet, GREETING_TIMEOUT_MS, type Preamble } from "./greeting.ts";
import type { HandlerContext } from "./handler.ts";
import { ServedConnection } from "./served_connection.ts";

export interface ServingOptions {
  /** What handlers answer with; undefined for the address. */
  readonly name: string | undefined;
  /** 0 is none. */
  readonly idleTimeoutMs: number;
  /** Whether every connection has to begin with a header of the PROXY protocol; then handlers name the true client, too. */
  readonly proxyProtocol?: boolean;
  /** What it opens TLS with, where it does. */
  readonly tls?: TlsKeys | undefined;
  /** So long a client may take for what comes before that; by default a few seconds. */
  readonly greetingTimeoutMs?: number;
  readonly log: Omit<Log, "session">;
}

/** Serves one connection; resolves when it has said everything. */
export type Serve = (connection: ServedConnection, context: HandlerContext) => Promise<void>;

export class Serving {
  readonly #open: Set<ServedConnection>;
  readonly #options: ServingOptions;
  readonly #engine: Pick<Accepting, "inTurn">;
  readonly #context: HandlerContext;
  readonly #preamble: Preamble | undefined;
  readonly #clock = new CoarseClock();
  #isClosing = false;

  /**
   * @param address What handlers answer with where there is no name.
   * @param open Kept up to date: the engine decides by its size.
   */
  constructor(
    options: ServingOptions,
    address: string,
    open: Set<ServedConnection>,
    engine: Pick<Accepting, "tls" | "inTurn">,
  ) {
    this.#options = options;
    this.#open = open;
    this.#engine = engine;
    this.#context = { name: options.name ?? address, now: () => new Date() };
    const { tls } = engine;
    const { proxyProtocol = false } = options;
    this.#preamble = proxyProtocol || tls !== undefined ? { proxyProtocol, tls } : undefined;
  }

  /** From now on timeouts are kept, until {@linkcode stop}. */
  start(): void {
    this.#clock.start();
  }

  /**
   * Serves a connection, which it then owns. Never rejects.
   *
   * @param leave Called when it is over.
   */
  async serve(socket: ServedSocket, serve: Serve, leave: () => void): Promise<void> {
    const { idleTimeoutMs, log } = this.#options;
    const connection = new ServedConnection(socket, this.#clock, this.#engine.inTurn, idleTimeoutMs);
    this.#open.add(connection);
    try {
      if (this.#isClosing) return;
      await serve(connection, await this.#contextFor(socket, connection));
      await finish(connection);
    } catch (error) {
      log.debug("connection_failed", { client: formatEndpoint(socket.peer), reason: reasonOf(error) });
    } finally {
      connection.close();
      this.#open.delete(connection);
      leave();
    }
  }

  /** Closes what is open, and each that is still to come; gives the number of those that were open. */
  closeAll(): number {
    this.#isClosing = true;
    const closed = this.#open.size;
    for (const connection of this.#open) connection.close();
    return closed;
  }

  stop(): void {
    this.#clock.stop();
  }

  async #contextFor(socket: ServedSocket, connection: ServedConnection): Promise<HandlerContext> {
    if (this.#preamble === undefined) return this.#context;
    const closed = connection.beginGreeting(this.#options.greetingTimeoutMs ?? GREETING_TIMEOUT_MS);
    const client = await Promise.race([greet(socket, this.#preamble), closed]);
    connection.endGreeting();
    if (client === undefined) return this.#context;
    return { ...this.#context, name: `${this.#context.name} (client ${formatEndpoint(client)})` };
  }
}

/**
 * Ends the sending side and reads on until the peer goes too: closing with bytes unread would reset the connection, and
 * the peer might lose the answer.
 */
async function finish(connection: ServedConnection): Promise<void> {
  connection.beginLinger();
  await connection.closeWrite();
  for await (const _ of chunks(connection));
}
