/** A server: accepts connections and hands each to a handler. */

import { type Address, formatAddress } from "../core/address.ts";
import { TICK_MS } from "../core/coarse_clock.ts";
import { removeSocketFile } from "../core/listening.ts";
import { resolveAddress } from "../core/resolve.ts";
import { sleep } from "../core/sleep.ts";
import type { Limiter } from "../engine/contract.ts";
import { settleAddresses } from "../engine/runtime/settle.ts";
import { acceptByEpoll, acceptByRuntime } from "./accepting.ts";
import type { Exchange } from "./exchange.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import type { ServedConnection } from "./served_connection.ts";
import { type Serve, Serving, type ServingOptions } from "./serving.ts";

export interface ServerOptions extends ServingOptions {
  readonly listen: Address;
  readonly handler: Handler;
  /** The same as an exchange, which the engine epoll takes instead. */
  readonly exchange?: ((context: HandlerContext) => Exchange) | undefined;
  /** 0 is no limit; at the limit accepting pauses. */
  readonly maxConnections: number;
  /** By default the runtime's, which alone opens TLS. */
  readonly engine?: "runtime" | "epoll";
  /** Of the engine epoll; see {@linkcode acceptByEpoll}. */
  readonly maxSleepMs?: number;
}

/** A server that runs. */
export interface RunningServer {
  /** Where it listens, with the port that the system chose if 0 was asked for. */
  readonly address: string;
  /** Stops accepting and closes what is open; resolves with the number of connections that it closed. */
  stop(): Promise<number>;
}

/**
 * Starts a server.
 *
 * @throws {RunError} when it cannot listen.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { listen, places } = await settle(options.listen);
  const address = formatAddress(listen);
  const open = new Set<ServedConnection>();
  const engine = options.engine === "epoll"
    ? await acceptByEpoll(places, options.maxSleepMs)
    : await acceptByRuntime(places, open, options.tls);
  const serving = new Serving(options, address, open, engine);
  const serve = serveOf(options);
  const stop = new AbortController();
  serving.start();
  const accepting = engine.accept({
    limiter: localLimiter(options.maxConnections, stop.signal),
    serve: (socket, leave) => void serving.serve(socket, serve, leave),
    stop: stop.signal,
    onTrouble: (event, fields) => options.log.warn(event, { address, ...fields }),
  });
  for (const place of places) options.log.info("listening", { address: formatAddress(place) });
  return {
    address,
    stop: async () => {
      stop.abort();
      const closed = serving.closeAll();
      await accepting;
      await engine.close();
      serving.stop();
      await removeSocketFile(listen);
      return closed;
    },
  };
}

function serveOf({ engine, handler, exchange }: ServerOptions): Serve {
  return engine !== "epoll" || exchange === undefined
    ? handler
    : (connection, context) => connection.exchange(exchange(context));
}

/** What an address means on this machine: one or two sockets, of which the first is how the server is called. */
export async function settle(
  wanted: Address,
): Promise<{ readonly listen: Address; readonly places: readonly Address[] }> {
  const [places = []] = settleAddresses([await resolveAddress(wanted)]);
  const [listen = wanted] = places;
  return { listen, places };
}

/**
 * The limiter of one thread.
 *
 * @param stop When it is aborted, nothing waits for a place any longer.
 */
export function localLimiter(maxConnections: number, stop?: AbortSignal): Limiter {
  let inside = 0;
  return {
    enter: () => {
      if (maxConnections > 0 && inside >= maxConnections) return false;
      inside++;
      return true;
    },
    leave: () => void inside--,
    freed: () => sleep(TICK_MS / 10, stop),
  };
}
