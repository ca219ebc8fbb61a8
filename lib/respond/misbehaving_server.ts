/** A server that misbehaves on purpose, in ways that can be changed while it runs. */

import { formatAddress } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import { removeSocketFile } from "../core/listening.ts";
import type { Misbehaviour } from "../core/misbehaviour.ts";
import type { NodeConn } from "../engine/runtime/node_conn.ts";
import { NodeListener } from "../engine/runtime/node_listener.ts";
import { BACKLOG, servingByRuntime } from "./accepting.ts";
import { failureOf } from "./chance.ts";
import { flapping, type Later } from "./flapping.ts";
import { misbehaving } from "./misbehaving.ts";
import { localLimiter, type RunningServer, type ServerOptions, settle } from "./server.ts";
import type { ServedConnection } from "./served_connection.ts";
import { Serving } from "./serving.ts";

export interface MisbehavingServerOptions extends ServerOptions {
  /** What it begins with; `GOOD` for a server that will misbehave later. */
  readonly misbehaviour: Misbehaviour;
  /** The clock of `flap`; by default that of the runtime. */
  readonly later?: Later;
}

/** A server that misbehaves, and can be told how. */
export interface MisbehavingServer extends RunningServer {
  /**
   * Changes what is wrong, from the next connection and the next answer on. A change with the key `flap` brings it up, and flapping
   * begins anew, or ends where its value is undefined. One that does not flap has nothing to end, and stays down if it is.
   */
  set(change: Partial<Misbehaviour>): void;
  /**
   * Is as if its process was gone: connections are refused, and those that are open are reset. Ends flapping. Resolves when it is so;
   * may be called again.
   */
  down(): Promise<void>;
  /**
   * Listens again, at the same address. Ends flapping. May be called again.
   *
   * @throws {RunError} when it cannot, since another program listens there by now.
   */
  up(): Promise<void>;
}

/**
 * Starts a server that misbehaves. Its sockets are those of node:net, which can be reset, and are slower than those of `startServer`.
 *
 * @throws {RunError} when it cannot listen.
 */
export async function startMisbehavingServer(options: MisbehavingServerOptions): Promise<MisbehavingServer> {
  const { handler, log, later = byTimer } = options;
  const { listen, places } = await settle(options.listen);
  const address = formatAddress(listen);
  const open = new Set<ServedConnection>();
  const byRuntime = servingByRuntime(open, options.tls);
  const serving = new Serving(options, address, open, byRuntime);
  const stopped = new AbortController();
  const limiter = localLimiter(options.maxConnections, stopped.signal);
  let current = options.misbehaviour;
  let connections = 0;
  let answers = 0;
  let endFlapping = (): void => {};

  const serve = async (conn: NodeConn): Promise<void> => {
    const number = ++connections;
    const failure = failureOf(number, current);
    if (failure === "refuse") return conn.reset();
    // What was accepted waits here, as it would in the backlog: its client sees no difference.
    while (!limiter.enter()) {
      // deno-lint-ignore no-await-in-loop -- until there is a place
      await limiter.freed();
      if (conn.closed.aborted) return;
    }
    const served = misbehaving(handler, {
      number,
      failure,
      current: () => current,
      nextAnswer: () => answers++,
      closed: conn.closed,
      reset: () => conn.reset(),
    });
    await serving.serve(byRuntime.engine.clientOf(conn), served, limiter.leave);
  };

  const listener = new NodeListener({
    addresses: places,
    backlog: BACKLOG,
    serve: (conn) => void serve(conn),
    onTrouble: (event, fields) => log.warn(event, { address, ...fields }),
  });
  const turn = (to: "up" | "down"): void => {
    const turned = to === "up" ? listener.open() : listener.close();
    turned.then(
      () => log.info(to, { address }),
      (error) => log.warn("up_failed", { address, reason: reasonOf(error) }),
    );
  };
  const flap = (): void => {
    endFlapping();
    endFlapping = current.flap === undefined ? () => {} : flapping(current.flap, later, turn);
  };
  const stopFlapping = (): void => {
    current = { ...current, flap: undefined };
    endFlapping();
  };

  await listener.open();
  serving.start();
  for (const place of places) log.info("listening", { address: formatAddress(place) });
  flap();
  return {
    address,
    set: (change) => {
      const wasFlapping = current.flap !== undefined;
      current = { ...current, ...change };
      if (!("flap" in change)) return;
      flap();
      if (wasFlapping || current.flap !== undefined) turn("up");
    },
    down: async () => {
      stopFlapping();
      await listener.close();
    },
    up: async () => {
      stopFlapping();
      await listener.open();
    },
    stop: async () => {
      stopFlapping();
      const closed = serving.closeAll();
      await listener.close();
      stopped.abort();
      serving.stop();
      await removeSocketFile(listen);
      return closed;
    },
  };
}

function byTimer(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}
