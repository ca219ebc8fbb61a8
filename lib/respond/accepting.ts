/** What accepts the connections of a server: one of the engines. */

import type { Address, StreamAddress } from "../core/address.ts";
import { isAnswered, removeFile } from "../core/listening.ts";
import type { AcceptOptions, ClientSocket, StreamSocket } from "../engine/contract.ts";
import type { EpollClient } from "../engine/epoll/client.ts";
import { EpollEngine } from "../engine/epoll/engine.ts";
import { EpollHost } from "../engine/epoll/host.ts";
import { describeListenError } from "../engine/listen_error.ts";
import { RuntimeEngine } from "../engine/runtime/engine.ts";
import type { RuntimeTlsServer } from "../engine/runtime/tls_server.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";
import { EpollConnection } from "./epoll_connection.ts";
import type { Exchange } from "./exchange.ts";
import type { Greeted } from "./greeting.ts";

/** A connection that is served. */
export type ServedSocket = StreamSocket & Greeted & {
  /** Runs an exchange; resolves when it is over. Missing where a read is a promise anyway. */
  readonly exchange?: (exchange: Exchange, moved: () => void) => Promise<void>;
};

export interface Accepting {
  /** What it opens TLS with. */
  readonly tls: RuntimeTlsServer | undefined;
  /** Resolves when it is stopped. */
  accept(options: AcceptOptions<ServedSocket>): Promise<void>;
  /** Calls in this turn of the event loop, or in a later one where others would wait for too long. */
  inTurn(call: () => void): void;
  /** Call it when it accepts no more, and all connections are closed. */
  close(): Promise<void>;
}

/** Waiting connections that the kernel keeps; as many as balancers have by default. */
export const BACKLOG = 4096;

/** Peers that are silent are not asked for signs of life. */
const NO_KEEPALIVE = { idleMs: 0, intervalMs: 0, count: 0 } as const;

/** What serving needs of the engine `runtime`, however its connections are accepted. */
export interface RuntimeServing extends Pick<Accepting, "tls" | "inTurn"> {
  readonly engine: RuntimeEngine;
}

/**
 * @param open Those that are served.
 * @param keys What TLS is opened with, where it is.
 */
export function servingByRuntime(open: { readonly size: number }, keys: TlsKeys | undefined): RuntimeServing {
  const engine = new RuntimeEngine(open);
  return {
    engine,
    // Handlers speak to no particular protocol, so none is agreed upon.
    tls: keys === undefined ? undefined : engine.tlsServer({ alpn: [], minVersion: "1.2" }, keys),
    inTurn: (call) => engine.turnBudget.spend(call),
  };
}

/**
 * On the sockets of the runtime; see {@linkcode servingByRuntime}.
 *
 * @throws {RunError} when it cannot listen.
 */
export async function acceptByRuntime(
  places: readonly Address[],
  open: { readonly size: number },
  keys: TlsKeys | undefined,
): Promise<Accepting> {
  const { engine, tls, inTurn } = servingByRuntime(open, keys);
  const listener = await engine.listenForConnections(places, BACKLOG);
  return { tls, inTurn, accept: (options) => listener.accept(options), close: () => Promise.resolve() };
}

/**
 * By calls of the system, from this thread, whose event loop runs in between.
 *
 * @param maxSleepMs Of other things of this thread, as timers, none waits longer; 0 where it has more to do, as in tests.
 * @throws {RunError} when it cannot listen, or the engine cannot be had.
 */
export async function acceptByEpoll(
  places: readonly Address[],
  maxSleepMs: number | undefined,
): Promise<Accepting> {
  const host = new EpollHost();
  const sockets: number[] = [];
  const closeAll = async (): Promise<void> => {
    for (const fd of sockets) host.closeListening(fd);
    await host.close();
  };
  try {
    for (const place of places) {
      // deno-lint-ignore no-await-in-loop -- one after the other, so that a fault leaves none behind
      sockets.push(await listen(host, place as StreamAddress));
    }
  } catch (error) {
    await closeAll();
    throw error;
  }
  const share = host.enter();
  const engine = new EpollEngine({ ...share, ...(maxSleepMs === undefined ? {} : { maxSleepMs }) });
  const [first] = places;
  const listener = await engine.listen(first === undefined ? [] : [first], BACKLOG, sockets);
  return {
    tls: undefined,
    accept: ({ serve, ...options }) =>
      listener.accept({
        ...options,
        serve: (client: ClientSocket, leave) => serve(new EpollConnection(client as EpollClient), leave),
      }),
    inTurn: (call) => call(),
    close: async () => {
      await engine.close();
      host.leave(share);
      await closeAll();
    },
  };
}

async function listen(host: EpollHost, address: StreamAddress): Promise<number> {
  if (address.transport === "unix" && !await isAnswered(address.path)) await removeFile(address.path);
  try {
    return host.listen(address, { backlog: BACKLOG, keepalive: NO_KEEPALIVE });
  } catch (error) {
    throw describeListenError(address, error);
  }
}
