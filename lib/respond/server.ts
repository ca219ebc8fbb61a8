/** A server: accepts connections and hands each to a handler. */

import { type Address, formatAddress } from "../core/address.ts";
import { TICK_MS } from "../core/coarse_clock.ts";
import { removeSocketFile } from "../core/listening.ts";
import { resolveAddress } from "../core/resolve.ts";
import type { Limiter } from "../engine/contract.ts";
import { settleAddresses } from "../engine/runtime/settle.ts";
import type { Handler } from "./handler.ts";
import { Serving, type ServingOptions } from "./serving.ts";

export interface ServerOptions extends ServingOptions {
  readonly listen: Address;
  readonly handler: Handler;
  /** 0 is no limit; at the limit accepting pauses. */
  readonly maxConnections: number;
}

/** A server that runs. */
export interface RunningServer {
  /** Where it listens, with the port that the system chose if 0 was asked for. */
  readonly address: string;
  /** Stops accepting and closes what is open; resolves with the number of connections that it closed. */
  stop(): Promise<number>;
}

/** Waiting connections that the kernel keeps; as many as balancers have by default. */
export const BACKLOG = 4096;

/**
 * Starts a server.
 *
 * @throws {RunError} when it cannot listen.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { listen, places } = await settle(options.listen);
  const address = formatAddress(listen);
  const serving = new Serving(options, address);
  const listener = await serving.engine.listenForConnections(places, BACKLOG);
  const stop = new AbortController();
  serving.start();
  const accepting = listener.accept({
    limiter: localLimiter(options.maxConnections),
    serve: (socket, leave) => void serving.serve(socket, options.handler, leave),
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
      serving.stop();
      await removeSocketFile(listen);
      return closed;
    },
  };
}

/** What an address means on this machine: one or two sockets, of which the first is how the server is called. */
export async function settle(
  wanted: Address,
): Promise<{ readonly listen: Address; readonly places: readonly Address[] }> {
  const [places = []] = settleAddresses([await resolveAddress(wanted)]);
  const [listen = wanted] = places;
  return { listen, places };
}

/** The limiter of one thread. */
export function localLimiter(maxConnections: number): Limiter {
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
