/** A server: accepts connections and hands each to a handler. */

import { type Address, formatAddress } from "../core/address.ts";
import { CoarseClock, TICK_MS } from "../core/coarse_clock.ts";
import { chunks } from "../core/connection.ts";
import { reasonOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { resolveAddress } from "../core/resolve.ts";
import { formatEndpoint } from "../core/endpoint.ts";
import type { Limiter } from "../engine/contract.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";
import { RuntimeEngine } from "../engine/runtime/engine.ts";
import { removeSocketFile } from "../core/listening.ts";
import { settleAddresses } from "../engine/runtime/settle.ts";
import type { RuntimeClient } from "../engine/runtime/socket.ts";
import { greet, GREETING_TIMEOUT_MS } from "./greeting.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import { ServedConnection } from "./served_connection.ts";

export interface ServerOptions {
  readonly listen: Address;
  readonly handler: Handler;
  /** What handlers answer with; undefined for the address. */
  readonly name: string | undefined;
  /** 0 is no limit; at the limit accepting pauses. */
  readonly maxConnections: number;
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

/** A server that runs. */
export interface RunningServer {
  /** Where it listens, with the port that the system chose if 0 was asked for. */
  readonly address: string;
  /** Stops accepting and closes what is open; resolves with the number of connections that it closed. */
  stop(): Promise<number>;
}

/** Waiting connections that the kernel keeps; as many as balancers have by default. */
const BACKLOG = 4096;

/** Handlers speak to no particular protocol, so none is agreed upon. */
const TLS_OPTIONS = { alpn: [], minVersion: "1.2" } as const;

/**
 * Starts a server.
 *
 * @throws {RunError} when it cannot listen.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const [places = []] = settleAddresses([await resolveAddress(options.listen)]);
  const [listen = options.listen] = places;
  const address = formatAddress(listen);
  const context = { name: options.name ?? address, now: () => new Date() };
  const clock = new CoarseClock();
  const open = new Set<ServedConnection>();
  const engine = new RuntimeEngine(open);
  const tls = options.tls === undefined ? undefined : engine.tlsServer(TLS_OPTIONS, options.tls);
  const { proxyProtocol = false } = options;
  const greeting = proxyProtocol || tls !== undefined ? { proxyProtocol, tls } : undefined;
  const listener = await engine.listenForConnections(places, BACKLOG);
  const stop = new AbortController();

  const contextFor = async (socket: RuntimeClient, connection: ServedConnection): Promise<HandlerContext> => {
    if (greeting === undefined) return context;
    const closed = connection.beginGreeting(options.greetingTimeoutMs ?? GREETING_TIMEOUT_MS);
    const client = await Promise.race([greet(socket, greeting), closed]);
    connection.endGreeting();
    return client === undefined
      ? context
      : { ...context, name: `${context.name} (client ${formatEndpoint(client)})` };
  };

  const serve = async (socket: RuntimeClient, leave: () => void): Promise<void> => {
    const connection = new ServedConnection(socket, clock, engine.turnBudget, options.idleTimeoutMs);
    open.add(connection);
    try {
      if (stop.signal.aborted) return;
      await options.handler(connection, await contextFor(socket, connection));
      await finish(connection);
    } catch (error) {
      options.log.debug("connection_failed", {
        client: formatEndpoint(socket.peer),
        reason: reasonOf(error),
      });
    } finally {
      connection.close();
      open.delete(connection);
      leave();
    }
  };

  clock.start();
  const accepting = listener.accept({
    limiter: localLimiter(options.maxConnections),
    serve,
    stop: stop.signal,
    onTrouble: (event, fields) => options.log.warn(event, { address, ...fields }),
  });
  for (const place of places) options.log.info("listening", { address: formatAddress(place) });
  return {
    address,
    stop: async () => {
      stop.abort();
      const closed = open.size;
      for (const connection of open) connection.close();
      await accepting;
      clock.stop();
      await removeSocketFile(listen);
      return closed;
    },
  };
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

/** The limiter of one thread. */
function localLimiter(maxConnections: number): Limiter {
  let inside = 0;
  return {
    enter: () => {
      if (maxConnections > 0 && inside >= maxConnections) return false;
      inside++;
      return true;
    },
    leave: () => void inside--,
    freed: () => new Promise((resolve) => setTimeout(resolve, TICK_MS / 10)),
  };
}
