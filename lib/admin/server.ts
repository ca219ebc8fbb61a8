/** The admin side: a small HTTP server beside the traffic, which it never touches. */

import { type Address, formatAddress, isLocal } from "../core/address.ts";
import { reasonOf, RunError } from "../core/errors.ts";
import type { Recorder } from "../core/log.ts";
import { CHALLENGES, type TokenCheck, tokenCheck } from "./auth.ts";
import { EventStreams } from "./event_streams.ts";
import { refuseForeign } from "./guard.ts";
import type { Operations } from "./operations.ts";
import { problem } from "./problem.ts";
import { adminRoutes, HEALTH_PATHS } from "./routes.ts";
import { isWellEncoded, targetOf } from "./target.ts";

export interface AdminOptions {
  readonly listen: Address;
  /** Undefined: nobody is asked for one. */
  readonly token: string | undefined;
  readonly operations: Operations;
  /** The page, whose script and style carry this nonce. */
  readonly page: (nonce: string) => string;
  readonly log: Pick<Recorder, "warn">;
}

/** An admin side that runs. */
export interface RunningAdmin {
  /** Where it listens, with the port that the system chose if 0 was asked for. */
  readonly address: string;
  /** Ends open streams and requests; resolves within about a second. */
  stop(): Promise<void>;
}

/** Nothing here is for caches, for other sites to know of, or to be taken for something else. */
const SAFE_HEADERS = [
  ["cache-control", "no-store"],
  ["referrer-policy", "no-referrer"],
  ["x-content-type-options", "nosniff"],
] as const;

/** How long a request may go on when the admin side is stopped. */
const STOP_TIMEOUT_MS = 1_000;

/**
 * Starts the admin side.
 *
 * @throws {RunError} in one sentence, when it cannot listen, or would be open to others without a token.
 */
export async function startAdmin(options: AdminOptions): Promise<RunningAdmin> {
  const { listen, token, log } = options;
  if (token === undefined && !isLocal(listen)) {
    throw new RunError(`other machines can reach ${formatAddress(listen)}; a token is needed`);
  }
  const streams = new EventStreams(options.operations);
  const check = token === undefined ? undefined : tokenCheck(token);
  const onFault = (error: unknown): void => log.warn("admin_request_failed", { reason: reasonOf(error) });
  const routes = adminRoutes({ ...options, streams, onFault: (_request, error) => onFault(error) });
  const handle = async (
    request: Request,
    { completed }: Deno.ServeHandlerInfo<Deno.Addr>,
  ): Promise<Response> => {
    const response = refuse(request, listen, check) ?? await routes(request, { completed });
    for (const [name, value] of SAFE_HEADERS) response.headers.set(name, value);
    return response;
  };
  const abort = new AbortController();
  const server = await serve(listen, abort.signal, handle, (error) => {
    onFault(error);
    return problem(500, "This is a fault of sockbal; its log says more.");
  });
  return {
    address: formatServed(server.addr),
    stop: async () => {
      streams.close();
      const timer = setTimeout(() => abort.abort(), STOP_TIMEOUT_MS);
      await server.shutdown();
      clearTimeout(timer);
      if (listen.transport === "unix") await Deno.remove(listen.path).catch(() => {});
    },
  };
}

/** What is to be answered instead of the answer, if anything. */
function refuse(request: Request, listen: Address, check: TokenCheck | undefined): Response | undefined {
  const { headers, method } = request;
  const target = targetOf(request.url);
  const why = refuseForeign(
    {
      method,
      authority: target.authority,
      origin: headers.get("origin"),
      secFetchSite: headers.get("sec-fetch-site"),
    },
    listen,
    check !== undefined,
  );
  if (why !== undefined) return problem(403, why);
  if (!isWellEncoded(target)) return problem(400, "The path is not percent-encoded UTF-8.");
  if (check === undefined || HEALTH_PATHS.includes(target.path) || check(headers.get("authorization"))) {
    return undefined;
  }
  const refused = problem(401, "Send the token as Authorization: Bearer TOKEN, or as a password.");
  for (const challenge of CHALLENGES) refused.headers.append("www-authenticate", challenge);
  return refused;
}

type Server = Deno.HttpServer<Deno.NetAddr> | Deno.HttpServer<Deno.UnixAddr>;

async function serve(
  listen: Address,
  signal: AbortSignal,
  handle: (request: Request, info: Deno.ServeHandlerInfo<Deno.Addr>) => Promise<Response>,
  onError: (error: unknown) => Response,
): Promise<Server> {
  const quietly = { signal, onListen: () => {}, onError };
  try {
    if (listen.transport === "unix") {
      await removeStale(listen.path);
      return Deno.serve({ path: listen.path, ...quietly }, handle);
    }
    const hostname = listen.host === "" ? "::" : listen.host;
    return Deno.serve({ hostname, port: listen.port, ...quietly }, handle);
  } catch (error) {
    throw new RunError(`cannot listen on ${formatAddress(listen)}: ${whyNot(error)}`, { cause: error });
  }
}

/** A socket that a crashed program left behind, where nobody answers, is removed. */
async function removeStale(path: string): Promise<void> {
  try {
    if (!(await Deno.lstat(path)).isSocket) return;
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) await Deno.remove(path);
  }
}

function whyNot(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "the address is in use";
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  if (error instanceof Deno.errors.NotCapable) return "sockbal was started without permission to do so";
  return reasonOf(error).toLowerCase();
}

function formatServed(address: Deno.NetAddr | Deno.UnixAddr): string {
  if ("path" in address) return `unix:${address.path}`;
  return formatAddress({ transport: "tcp", host: address.hostname, port: address.port });
}
