/** Where the admin side listens: its HTTP server on an address, and one sentence when there cannot be one. */

import { isIP } from "node:net";
import {
  type Address,
  formatAddress,
  formatHostPort,
  type TcpAddress,
  type UnixAddress,
} from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { isAnswered, whyNotListening } from "../core/listening.ts";

export type HttpServer = Deno.HttpServer<Deno.NetAddr> | Deno.HttpServer<Deno.UnixAddr>;

export interface HttpHandlers {
  /** Answers a request; `completed` settles when the response has been sent, or cannot be any more. */
  readonly answer: (request: Request, completed: Promise<void>) => Response | Promise<Response>;
  /** Answers when `answer` has thrown, or when the body of a response has. */
  readonly onError: (error: unknown) => Response;
  /** Ends the server and every connection, at once. */
  readonly signal: AbortSignal;
}

/**
 * Serves HTTP on an address.
 *
 * @throws {RunError} that says in one sentence why it cannot be done.
 */
export async function listenHttp(address: Address, handlers: HttpHandlers): Promise<HttpServer> {
  const server = await tryListening(address, handlers);
  if (isAt(address, server)) return server;
  await server.shutdown();
  throw cannotListen(address, "the environment has DENO_SERVE_ADDRESS, which says otherwise");
}

/** Removes the file of a Unix socket that has been closed, unless somebody else listens there by now. */
export async function removeSocketFile(address: Address): Promise<void> {
  if (address.transport === "unix" && !await isAnswered(address.path)) await remove(address.path);
}

/** The address as it is shown, with the port that the system chose. */
export function boundAddress(address: Address, server: HttpServer): string {
  if (address.transport === "unix" || server.addr.transport !== "tcp") return formatAddress(address);
  // A name stays a name: it is what a browser is given.
  const host = address.host === "" ? server.addr.hostname : address.host;
  return formatAddress({ ...address, host, port: server.addr.port });
}

async function tryListening(address: Address, handlers: HttpHandlers): Promise<HttpServer> {
  try {
    if (address.transport === "unix") return await listenUnix(address, handlers);
    return listenTcp(address, handlers);
  } catch (error) {
    throw cannotListen(address, whyNotListening(address, error, "a listener"), error);
  }
}

function cannotListen(address: Address, reason: string, cause?: unknown): RunError {
  return new RunError(`the admin page cannot listen on ${formatAddress(address)}: ${reason}`, { cause });
}

/**
 * Whether a server is where it should be: the runtime lets DENO_SERVE_ADDRESS override what a program asks for, and this
 * one is not for everybody.
 */
function isAt(address: Address, { addr }: HttpServer): boolean {
  if (address.transport === "unix") return addr.transport === "unix" && addr.path === address.path;
  if (addr.transport !== "tcp" || (address.port !== 0 && addr.port !== address.port)) return false;
  return isIP(address.host) === 0 || canonical(addr.hostname) === canonical(address.host);
}

/** An IP address in the one form that it has in a URL. */
function canonical(ip: string): string | undefined {
  return URL.parse(`http://${formatHostPort(ip, 0)}/`)?.hostname;
}

/** An empty host is all addresses: IPv6 with IPv4 mapped into it, or IPv4 on a machine without IPv6. */
function listenTcp({ host, port }: TcpAddress, handlers: HttpHandlers): HttpServer {
  if (host !== "") return serveTcp(host, port, handlers);
  try {
    return serveTcp("::", port, handlers);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return serveTcp("0.0.0.0", port, handlers);
  }
}

function serveTcp(hostname: string, port: number, handlers: HttpHandlers): HttpServer {
  return Deno.serve({ hostname, port, ...common(handlers) }, (request, { completed }) => {
    return handlers.answer(request, completed);
  });
}

async function listenUnix(address: UnixAddress, handlers: HttpHandlers): Promise<HttpServer> {
  try {
    return serveUnix(address, handlers);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse) || await isAnswered(address.path)) throw error;
    // A crashed program left it behind.
    await remove(address.path);
    return serveUnix(address, handlers);
  }
}

function serveUnix({ path }: UnixAddress, handlers: HttpHandlers): HttpServer {
  return Deno.serve(
    { path, ...common(handlers) },
    (request, { completed }) => handlers.answer(request, completed),
  );
}

/** The runtime would write of its own to stdout that it listens, and to stderr what has been thrown. */
function common(
  { onError, signal }: HttpHandlers,
): Required<Pick<Deno.ServeOptions, "onListen" | "onError" | "signal">> {
  return { onListen: () => {}, onError, signal };
}

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch {
    // Somebody was faster; gone is gone.
  }
}
