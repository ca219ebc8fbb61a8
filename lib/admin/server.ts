/** The admin side as a running server: who may come in, what is said in common of every answer, and how it ends. */

import type { Address } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import { removeFile } from "../core/listening.ts";
import { fileAt, type SocketFile } from "../core/socket_file.ts";
import type { Recorder } from "../core/log.ts";
import { CHALLENGES, tokenCheck } from "./auth.ts";
import { EventStreams } from "./event_streams.ts";
import { refuseForeign } from "./guard.ts";
import { MAX_ADMIN_CONNECTIONS } from "./connections.ts";
import { boundAddress, closeServers, listenHttp } from "./listen.ts";
import type { Operations } from "./operations.ts";
import { problem } from "./problem.ts";
import { rivalsOf } from "./rivals.ts";
import { adminRoutes, HEALTH_PATHS } from "./routes.ts";
import { isWellEncoded, targetOf } from "./target.ts";

export interface AdminOptions {
  /** Port 0 lets the system choose. */
  readonly listen: Address;
  /** Who may connect to a Unix socket; undefined: as the umask has it. */
  readonly file?: SocketFile | undefined;
  /** Whether a Unix socket takes the place of one that is answered: that of a balancer which is taken over. */
  readonly replaces?: boolean;
  /** What everybody has to show, but at the health paths; undefined asks for nothing. */
  readonly token: string | undefined;
  readonly operations: Operations;
  /** The page, whose scripts and styles have to carry the nonce. */
  readonly page: (nonce: string) => string;
  readonly log: Pick<Recorder, "warn" | "info">;
  /** Connections at once; {@linkcode MAX_ADMIN_CONNECTIONS} unless said otherwise. */
  readonly maxConnections?: number;
}

/** An admin side that runs. */
export interface RunningAdmin {
  /** Where it listens, with the port that the system chose if 0 was asked for. */
  readonly address: string;
  /** Whether clients find its Unix socket: its file may have been removed, or another one have taken its place. */
  isInPlace(): Promise<boolean>;
  /** Asks for another token from now on, or for none. Streams of events that were opened before are ended. */
  setToken(token: string | undefined): void;
  /**
   * Ends the streams of events, lets requests under way finish for at most a second, and closes everything. May be
   * called twice.
   */
  stop(): Promise<void>;
}

/** How long {@linkcode RunningAdmin.stop} waits for requests under way. */
const STOP_TIMEOUT_MS = 1_000;

/** Answers are of this moment, and private: no cache keeps them. */
const COMMON_HEADERS = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/**
 * Starts the admin side.
 *
 * @throws {RunError} when it cannot listen, which need not keep a balancer from its traffic.
 * @throws {RangeError} for an empty token.
 */
export async function startAdmin(options: AdminOptions): Promise<RunningAdmin> {
  const { listen, operations, page, log } = options;
  let refuse = gate(options);
  const streams = new EventStreams(operations);
  const onFault = (request: Request, error: unknown): void => {
    const { method, url } = request;
    log.warn("admin_request_failed", { method, path: targetOf(url).path, reason: reasonOf(error) });
  };
  const routes = adminRoutes({ operations, streams, page, onFault });
  const underWay = new Set<Promise<void>>();
  let isStopping = false;

  const reply = async (request: Request, completed: Promise<void>): Promise<Response> => {
    try {
      return (isStopping ? problem(503, "The admin server stops.") : refuse(request)) ??
        await routes(request, { completed });
    } catch (error) {
      log.warn("admin_request_failed", { reason: reasonOf(error) });
      return problem(500, "This is a fault of sockbal; its log says more.");
    }
  };
  const answer = async (request: Request, completed: Promise<void>): Promise<Response> => {
    const gone = completed.finally(() => underWay.delete(gone));
    underWay.add(gone);
    const response = await reply(request, completed);
    for (const [name, value] of Object.entries(COMMON_HEADERS)) response.headers.set(name, value);
    return response;
  };

  const servers = await listenHttp(listen, {
    answer,
    file: options.file,
    replaces: options.replaces ?? false,
    maxConnections: options.maxConnections ?? MAX_ADMIN_CONNECTIONS,
    rivals: () => rivalsOf(operations),
  });
  const address = boundAddress(listen, servers);
  const path = listen.transport === "unix" ? listen.path : undefined;
  const ownFile = path === undefined ? undefined : await fileAt(path);
  const isInPlace = async (): Promise<boolean> => {
    return path === undefined || (ownFile !== undefined && await fileAt(path) === ownFile);
  };
  log.info("admin_listening", { address });
  const stop = async (): Promise<void> => {
    isStopping = true;
    streams.close();
    await settled(underWay, STOP_TIMEOUT_MS);
    await closeServers(servers);
    // Whether it is answered would not tell: the runtime may listen for a moment after a server was closed.
    if (path !== undefined && await isInPlace()) await removeFile(path);
  };
  let stopped: Promise<void> | undefined;
  const setToken = (token: string | undefined): void => {
    refuse = gate({ ...options, token });
    streams.close();
  };
  return { address, isInPlace, setToken, stop: () => stopped ??= stop() };
}

/** What stands before the routes: gives the answer to those who may not come in, undefined to those who may. */
function gate({ listen, token }: AdminOptions): (request: Request) => Response | undefined {
  const isTokenShown = token === undefined ? undefined : tokenCheck(token);
  return ({ method, url, headers }) => {
    const target = targetOf(url);
    if (!isWellEncoded(target)) {
      return problem(400, "The path or the query is not well percent-encoded UTF-8.");
    }
    if (HEALTH_PATHS.includes(target.path)) return undefined;
    const origins = {
      method,
      authority: headers.get("host") || target.authority,
      origin: headers.get("origin"),
      secFetchSite: headers.get("sec-fetch-site"),
    };
    const refused = refuseForeign(origins, listen, token !== undefined);
    if (refused !== undefined) return problem(403, refused);
    return isTokenShown?.(headers.get("authorization")) === false ? unauthorized() : undefined;
  };
}

function unauthorized(): Response {
  const refused = problem(401, "This needs the admin token, as a Bearer or as the password of any user.");
  for (const challenge of CHALLENGES) refused.headers.append("www-authenticate", challenge);
  return refused;
}

/** Waits until all of them have settled, or for so long. */
async function settled(promises: Iterable<Promise<void>>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => timer = setTimeout(resolve, timeoutMs));
  await Promise.race([Promise.all(promises), timeout]);
  clearTimeout(timer);
}
