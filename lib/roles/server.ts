/** The server role: accepts connections and hands each to a handler. */

import type { ServerFlags } from "../cli/flags.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { CoarseClock, TICK_MS } from "../core/coarse_clock.ts";
import { chunks } from "../core/connection.ts";
import { reasonOf } from "../core/errors.ts";
import { log, type Logger } from "../core/log.ts";
import { resolveAddress } from "../control/resolve.ts";
import { acceptConnections, type Gate } from "../dataplane/accept.ts";
import { listenShared, removeSocketFile, settleAddresses } from "../dataplane/listen.ts";
import { Turnstile } from "../dataplane/turnstile.ts";
import type { Handler } from "../respond/handler.ts";
import { handlers } from "../respond/handlers.ts";
import { ServedConnection } from "./served_connection.ts";
import { startStderrLog, stopped, type Terminal } from "./terminal.ts";
import { giveUpWriting } from "./write_permission.ts";

export interface ServerOptions {
  readonly listen: Address;
  readonly handler: Handler;
  /** What handlers answer with; undefined for the address. */
  readonly name: string | undefined;
  /** 0 is no limit; at the limit accepting pauses. */
  readonly maxConnections: number;
  /** 0 is none. */
  readonly idleTimeoutMs: number;
  readonly log: Logger;
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

/**
 * Starts a server.
 *
 * @throws {RunError} when it cannot listen.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const [listen = options.listen] = settleAddresses([await resolveAddress(options.listen)]);
  const listener = await listenShared(listen, BACKLOG);
  const address = formatAddress(listen);
  const context = { name: options.name ?? address, now: () => new Date() };
  const clock = new CoarseClock();
  const open = new Set<ServedConnection>();
  const turnstile = new Turnstile(open);
  const stop = new AbortController();

  const serve = async (conn: Deno.Conn): Promise<void> => {
    const connection = new ServedConnection(conn, clock, turnstile, options.idleTimeoutMs);
    if (stop.signal.aborted) return connection.close();
    open.add(connection);
    try {
      await options.handler(connection, context);
      await finish(connection);
    } catch (error) {
      options.log.debug("connection_failed", { reason: reasonOf(error) });
    } finally {
      connection.close();
      open.delete(connection);
    }
  };

  clock.start();
  const accepting = acceptConnections(listener, {
    gate: localGate(options.maxConnections),
    serve,
    stop: stop.signal,
    onTrouble: (event, fields) => options.log.warn(event, { address, ...fields }),
  });
  options.log.info("listening", { address });
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

/** The gate of one thread. */
function localGate(maxConnections: number): Gate {
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

/** Runs a server until the user stops it. */
export async function runServerRole(flags: ServerFlags, terminal: Terminal): Promise<void> {
  await giveUpWriting([flags.listen]);
  const running = startStderrLog(flags.logLevel, flags.logFormat);
  try {
    const server = await startServer({ ...flags, handler: handlers[flags.handler], name: flags.name, log });
    log.info("ready", { handler: flags.handler });
    await stopped(terminal.stop);
    log.info("stopped", { closed_connections: await server.stop() });
  } finally {
    await running.close();
  }
}
