/** A server for datagrams: hands each to a handler, and sends its answer back. */

import { formatAddress, type UdpAddress } from "../core/address.ts";
import { bindAll } from "../core/all_addresses.ts";
import { DATAGRAM_BUFFER_BYTES } from "../core/datagram.ts";
import { formatEndpoint } from "../core/endpoint.ts";
import { reasonOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { canonicalHost } from "../core/overlap.ts";
import { resolveAddress } from "../core/resolve.ts";
import { sleep } from "../core/sleep.ts";
import { isLinkLocal, zoneOf } from "../core/zone.ts";
import { AcceptTrouble } from "../engine/accept_trouble.ts";
import { describeListenError } from "../engine/listen_error.ts";
import type { DatagramContext, DatagramHandler } from "./datagram_handlers.ts";
import type { MisbehavingAnswers } from "./misbehaving_answers.ts";

export interface DatagramServerOptions {
  readonly listen: UdpAddress;
  readonly handler: DatagramHandler;
  /** What handlers answer with; undefined for the address. */
  readonly name: string | undefined;
  /** What is wrong with its answers; may be changed while it runs. */
  readonly misbehaviour?: MisbehavingAnswers;
  readonly log: Omit<Log, "session">;
}

/** A server that runs. */
export interface RunningDatagramServer {
  /** Where it listens, with the port that the system chose if 0 was asked for. */
  readonly address: string;
  /** Stops receiving. */
  stop(): Promise<void>;
}

/**
 * Starts a server.
 *
 * @throws {RunError} when it cannot listen.
 */
export async function startDatagramServer(options: DatagramServerOptions): Promise<RunningDatagramServer> {
  const listen = await resolveAddress(options.listen) as UdpAddress;
  const sockets = bind(listen);
  const addresses = sockets.map(({ addr }) => formatAddress(boundAddress(addr, listen)));
  const [address = formatAddress(listen)] = addresses;
  const context = { name: options.name ?? address, now: () => new Date(), random: Math.random };
  const stop = new AbortController();
  const serving = sockets.map((socket) => serve(socket, options, context, address, stop.signal));
  for (const each of addresses) options.log.info("listening", { address: each });
  return {
    address,
    stop: async () => {
      stop.abort();
      for (const socket of sockets) socket.close();
      await Promise.all(serving);
    },
  };
}

function bind(address: UdpAddress): Deno.DatagramConn[] {
  const bindOne = (hostname: string, port: number): Deno.DatagramConn => {
    return Deno.listenDatagram({ transport: "udp", hostname, port });
  };
  try {
    const { host, port } = address;
    return host === "" ? bindAll(bindOne, port) : [bindOne(host, port)];
  } catch (error) {
    throw describeListenError(address, error);
  }
}

/** With the zone of the address that was asked for: the runtime leaves the zone out. */
function boundAddress(bound: Deno.Addr, { host }: UdpAddress): UdpAddress {
  const { hostname, port } = bound as Deno.NetAddr;
  return { transport: "udp", host: withZone(canonicalHost(hostname), zoneOf(host)), port };
}

/** Until it is stopped. What fails for one client is its own matter, and is told only to those who debug. */
async function serve(
  socket: Deno.DatagramConn,
  { handler, listen, misbehaviour, log }: DatagramServerOptions,
  context: DatagramContext,
  address: string,
  stop: AbortSignal,
): Promise<void> {
  const buffer = new Uint8Array(DATAGRAM_BUFFER_BYTES);
  const trouble = new AcceptTrouble((event, fields) => log.warn(event, { address, ...fields }));
  const zone = zoneOf(listen.host);
  const answer = async (datagram: Uint8Array, { hostname, port }: Deno.NetAddr): Promise<void> => {
    try {
      const bytes = handler(datagram, context);
      if (bytes === undefined) return;
      const client: Deno.Addr = { transport: "udp", hostname: withZone(hostname, zone), port };
      if (misbehaviour === undefined) await socket.send(bytes, client);
      else misbehaviour.answer(bytes, (later) => socket.send(later, client), stop);
    } catch (error) {
      const client = formatEndpoint({ transport: "udp", host: hostname, port });
      log.debug("datagram_failed", { client, reason: reasonOf(error) });
    }
  };
  while (!stop.aborted) {
    try {
      // deno-lint-ignore no-await-in-loop -- one buffer serves all, and a client's datagrams are answered in their order
      const [datagram, client] = await socket.receive(buffer);
      trouble.accepted();
      // deno-lint-ignore no-await-in-loop -- the same
      await answer(datagram, client as Deno.NetAddr);
    } catch (error) {
      // deno-lint-ignore no-await-in-loop -- a pause
      if (!stop.aborted) await sleep(trouble.failed(error), stop);
    }
  }
}

function withZone(host: string, zone: string | undefined): string {
  return zone !== undefined && isLinkLocal(host) ? `${host}%${zone}` : host;
}
