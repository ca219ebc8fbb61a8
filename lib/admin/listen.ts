/** Where the admin side listens: its HTTP server on an address, and one sentence when there cannot be one. */

import { createServer, type Server } from "node:http";
import { type Address, formatAddress, hasName, type TcpAddress, type UnixAddress } from "../core/address.ts";
import { bindAll, listenTcp } from "../core/all_addresses.ts";
import { RunError } from "../core/errors.ts";
import { isAnswered, isInUse, removeFile, whyNotListening } from "../core/listening.ts";
import { lookUpWithin, NameError } from "../core/lookup.ts";
import { boundAt, setSocketFile, type SocketFile } from "../core/socket_file.ts";
import { type Holder, overlappingHolder } from "../core/overlap.ts";
import { ADMIN_BACKLOG, boundConnections } from "./connections.ts";
import { type Answer, exchange } from "./http_exchange.ts";

/** One server, or two that together have all addresses. */
export type HttpServers = readonly [Server, ...Server[]];

/** The resolver of the system may take longer. */
const LOOKUP_MS = 5_000;

/** A request head has to arrive within so much, and a whole request within so much. */
const HEAD_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** A connection that is kept for a next request; browsers and scrapers open another when it was closed. */
const KEEP_ALIVE_MS = 5_000;

/** A connection on which nothing moves: streams of events have something to say each second. */
const SILENCE_TIMEOUT_MS = 60_000;

/** How often the first two are looked at. */
const LOOK_EVERY_MS = 1_000;

/** The one who has the path is mostly a balancer with the same configuration. */
const TAKE_OVER_HINT = "; --take-over takes the place of a balancer there";

export interface HttpOptions {
  readonly answer: Answer;
  /** Connections at once. */
  readonly maxConnections: number;
  /** Who may connect to a Unix socket; undefined: as the umask has it. */
  readonly file?: SocketFile | undefined;
  /** Whether a Unix socket takes the place of one that is answered. */
  readonly replaces?: boolean;
  /** What else of this program listens; asked for when the address is in use. */
  readonly rivals?: () => readonly Holder[];
}

/**
 * Serves HTTP on an address; {@linkcode closeServers} ends it.
 *
 * @throws {RunError} that says in one sentence why it cannot be done.
 */
export async function listenHttp(address: Address, options: HttpOptions): Promise<HttpServers> {
  const { rivals = () => [] } = options;
  const servers: Server[] = [];
  for (const place of await placesOf(address, rivals)) {
    const server = serverOf(options);
    try {
      if (place.transport === "tcp") checkPermitted(place);
      // deno-lint-ignore no-await-in-loop -- one after the other, so that a failure closes those before it
      await (place.transport === "unix"
        ? listenUnix(server, place, options)
        : listening(server, { host: place.host, port: place.port }));
    } catch (error) {
      // deno-lint-ignore no-await-in-loop -- runs once: the loop ends with the throw
      await closeServers(servers);
      const reason = whyNotListening(place, error, rivalOf(place, rivals));
      const hint = place.transport === "unix" && isInUse(error) ? TAKE_OVER_HINT : "";
      throw cannotListen(address, reason + hint, error);
    }
    servers.push(server);
  }
  const [first, ...others] = servers;
  if (first === undefined) throw new RangeError("Cannot serve HTTP: there is no address");
  return [first, ...others];
}

/** Closes servers with all their connections; resolves when they are closed. */
export async function closeServers(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    })
  ));
}

/** The address as it is shown, with the port that the system chose. */
export function boundAddress(address: Address, [first]: HttpServers): string {
  const bound = first.address();
  if (address.transport === "unix" || bound === null || typeof bound === "string") {
    return formatAddress(address);
  }
  // A name stays a name: it is what a browser is given.
  const host = address.host === "" ? bound.address : address.host;
  return formatAddress({ ...address, host, port: bound.port });
}

function serverOf({ answer, maxConnections }: HttpOptions): Server {
  const server = createServer({
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: LOOK_EVERY_MS,
    // Whether a request without one may come in is decided with all else that is known of it.
    requireHostHeader: false,
  }, (incoming, outgoing) => void exchange(incoming, outgoing, answer));
  server.setTimeout(SILENCE_TIMEOUT_MS);
  boundConnections(server, maxConnections);
  return server;
}

/** Addresses with nothing left open but port 0: names resolved, "all addresses" as one or two hosts. */
async function placesOf(address: Address, rivals: () => readonly Holder[]): Promise<Address[]> {
  try {
    if (address.transport === "unix") return [address];
    if (address.host !== "") {
      const isName = hasName(address);
      const [host = address.host] = isName ? await lookUpWithin(address.host, LOOKUP_MS) : [];
      return [{ ...address, host }];
    }
    const listeners = bindAll(listenTcp, address.port);
    for (const listener of listeners) listener.close();
    return listeners.map(({ addr: { hostname, port } }) => ({ ...address, host: hostname, port }));
  } catch (error) {
    if (error instanceof NameError) throw cannotListen(address, error.message, error);
    throw cannotListen(address, whyNotListening(address, error, rivalOf(address, rivals)), error);
  }
}

/** Where the runtime refuses, Node's server throws past the one who called it. */
function checkPermitted(address: TcpAddress): void {
  const host = formatAddress(address);
  if (Deno.permissions.querySync({ name: "net", host }).state !== "granted") {
    throw new Deno.errors.NotCapable();
  }
}

/** What has the port, as far as this program can know. */
function rivalOf(address: Address, rivals: () => readonly Holder[]): string {
  const rival = overlappingHolder(address, rivals());
  if (rival === undefined) return "another program or by a listener";
  return `${rival.what} of this program on ${formatAddress(rival.address)}`;
}

function cannotListen(address: Address, reason: string, cause?: unknown): RunError {
  return new RunError(`the admin page cannot listen on ${formatAddress(address)}: ${reason}`, { cause });
}

/**
 * It is made beside its path and renamed: no one can connect at the path before it has its mode and group, and one that is there is answered
 * until this one is. Closing removes the path that was bound, which is none by then.
 */
async function listenUnix(
  server: Server,
  address: UnixAddress,
  { file, replaces = false }: HttpOptions,
): Promise<void> {
  const { path } = boundAt(address);
  if (!replaces && await isAnswered(address.path)) throw new InUse();
  await removeStale(path);
  await listening(server, { path });
  try {
    if (file !== undefined) setSocketFile(path, file);
    await Deno.rename(path, address.path);
  } catch (error) {
    server.close();
    throw error;
  }
}

/** As the runtime says it. */
class InUse extends Error {
  readonly code = "EADDRINUSE";
}

/** A crashed program left it behind. */
async function removeStale(path: string): Promise<void> {
  if (!await isAnswered(path)) await removeFile(path);
}

/** On `::` it takes IPv6 alone where another socket has IPv4. */
function listening(
  server: Server,
  at: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...at, backlog: ADMIN_BACKLOG }, () => {
      server.off("error", reject);
      // What befalls a single connection later is its own matter.
      server.on("error", () => {});
      resolve();
    });
  });
}
