/** The paths of the admin side, which are promises to users, and what is done there. */

import { type Context, Hono } from "hono";
import { readJson } from "./body.ts";
import type { EventStreams } from "./event_streams.ts";
import { EXPOSITION_TYPE } from "./exposition.ts";
import { renderMetrics } from "./metrics.ts";
import type { MemberChanged, Operations, Order, SessionFilter } from "./operations.ts";
import type { Status } from "./status.ts";
import { acceptsGzip, gzipped, VARY } from "./gzip.ts";
import {
  ACTIONS,
  readMember,
  readOrder,
  readUnused,
  readWeight,
  refuseContent,
  singleParameter,
} from "./orders.ts";
import { problem, Refusal } from "./problem.ts";
import { plainJson } from "./plain_json.ts";
import { targetOf } from "./target.ts";

/** What the routes are told about a request beside itself. */
export interface RequestFacts {
  /** Settles when the response has been sent, or cannot be any more. */
  readonly completed: Promise<void>;
}

export interface RoutesOptions {
  readonly operations: Operations;
  readonly streams: EventStreams;
  /** The page, whose scripts and styles carry the nonce. */
  readonly page: (nonce: string) => string;
  /** Hears of faults of our own; the client is told only that there was one. */
  readonly onFault: (request: Request, error: unknown) => void;
}

/** Open without a token and by any host name: probes ask here. */
export const HEALTH_PATHS: readonly string[] = ["/healthz", "/readyz"];

/** What the list of sessions can be narrowed by. */
const FILTERS = ["listener", "pool", "backend", "client"] as const;

type App = Hono<{ Bindings: RequestFacts }>;
type Handler = (context: Context<{ Bindings: RequestFacts }>) => Response | Promise<Response>;

const MAX_SESSIONS = 10_000;
const DEFAULT_SESSIONS = 100;

/** Answers a request; what it throws has become a problem. */
export type Routes = (request: Request, facts: RequestFacts) => Response | Promise<Response>;

/** The routes over a balancer. They guard nothing: who may come in has been decided before. */
export function adminRoutes({ operations, streams, page, onFault }: RoutesOptions): Routes {
  const app: App = new Hono({ getPath: (request) => targetOf(request.url).path });
  const backend = "/api/pools/:pool/backends/:backend";
  route(app, "GET", "/", () => answerPage(page));
  route(app, "GET", "/api/status", (c) => c.json(operations.status()));
  route(app, "GET", "/api/sessions", async (c) => {
    const query = queryOf(c);
    return c.json(await operations.sessions(readLimit(query), readFilter(query)));
  });
  route(app, "POST", "/api/sessions/:id/kill", async (c) => {
    refuseContent(await readJson(c.req.raw));
    const id = c.req.param("id") ?? "";
    if (await operations.killSession(id)) return c.json({ message: `session ${id} ended` });
    return problem(404, `There is no session ${JSON.stringify(id)}; it may have ended.`);
  });
  route(app, "GET", "/api/config", (c) => {
    return c.body(plainJson(operations.config() ?? null), 200, { "content-type": "application/json" });
  });
  route(app, "GET", "/api/events", (c) => {
    // The stream of a HEAD request would stay unread.
    if (c.req.method === "HEAD") return c.body(null, 200, { "content-type": "text/event-stream" });
    return streams.open(c.env.completed);
  });
  route(app, "GET", "/metrics", async (c) => {
    const metrics = renderMetrics(operations.status(), operations.counts());
    const headers = { "content-type": EXPOSITION_TYPE, ...VARY };
    const short = acceptsGzip(c.req.header("accept-encoding")) ? await gzipped(metrics) : undefined;
    if (short === undefined) return c.body(metrics, 200, headers);
    return c.body(short, 200, { ...headers, "content-encoding": "gzip" });
  });
  route(app, "GET", "/healthz", (c) => c.text("ok"));
  route(app, "GET", "/readyz", (c) => answerReady(c, operations.status()));
  // One path each: an alternative in a pattern of Hono would match the end of a longer path, too.
  for (const action of ACTIONS) {
    route(app, "POST", `${backend}/${action}`, async (c) => {
      return steer(c, operations, readOrder(action, queryOf(c), await readJson(c.req.raw)));
    });
  }
  route(app, "PUT", `${backend}/weight`, async (c) => {
    return steer(c, operations, readWeight(await readJson(c.req.raw)));
  });
  app.on("PUT", backend, async (c) => {
    const { pool = "", backend = "" } = c.req.param();
    return answerMember(c, await operations.setBackend(pool, backend, readMember(await readJson(c.req.raw))));
  });
  route(app, "DELETE", backend, async (c) => {
    refuseContent(await readJson(c.req.raw));
    const { pool = "", backend = "" } = c.req.param();
    return answerMember(c, await operations.removeBackend(pool, backend));
  }, "DELETE, PUT");
  route(app, "POST", "/api/reload", async (c) => {
    refuseContent(await readJson(c.req.raw));
    const done = await operations.reload();
    if (!done.ok) return problem(422, done.message, done.faults);
    return c.json({ message: done.message, notes: done.notes ?? [] });
  });
  route(app, "POST", "/api/hand-over", async (c) => {
    refuseContent(await readJson(c.req.raw));
    const offer = await operations.handOver();
    return "refused" in offer ? problem(409, `Nothing is handed over: ${offer.refused}.`) : c.json(offer);
  });
  route(app, "POST", "/api/hand-over/finish", async (c) => {
    const refused = await operations.finishHandOver(readUnused(await readJson(c.req.raw)));
    return refused === undefined
      ? c.json({ message: "It drains." })
      : problem(409, `Nothing is handed over: ${refused}.`);
  });
  app.notFound(() => problem(404, "There is nothing at this path."));
  app.onError((error, c) => {
    if (error instanceof Refusal) return problem(error.status, error.message);
    onFault(c.req.raw, error);
    return problem(500, "This is a fault of sockbal; its log says more.");
  });
  return (request, facts) => app.fetch(request, facts);
}

/** One method of a path, and what the others are answered. Hono answers HEAD as it does GET, without the body. */
function route(
  app: App,
  method: "GET" | "POST" | "PUT" | "DELETE",
  path: string,
  handle: Handler,
  allow = method === "GET" ? "GET, HEAD" : method,
): void {
  app.on(method, path, handle);
  app.all(path, () => {
    const refused = problem(405, `This path takes ${allow.replace(", ", " and ")} only.`);
    refused.headers.set("allow", allow);
    return refused;
  });
}

/** The page may run what carries its nonce and talk to this server; a browser refuses it everything else. */
function answerPage(page: (nonce: string) => string): Response {
  const nonce = crypto.getRandomValues(new Uint8Array(16)).toBase64();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return new Response(page(nonce), {
    headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": policy.join("; ") },
  });
}

/** Says no names: it is open to everybody. */
function answerReady(c: Context, { state, ready, workers, pools }: Status): Response {
  if (ready) return c.text("ready");
  if (state !== "running") return problem(503, `Not ready: ${state}.`);
  const empty = pools.filter((pool) => pool.available === 0).length;
  if (workers.length === 0) return problem(503, "Not ready: no worker runs.");
  return problem(503, `Not ready: ${empty} of ${pools.length} pools have no backend that may be picked.`);
}

function steer(c: Context, operations: Operations, order: Order): Response {
  const { pool = "", backend = "" } = c.req.param();
  const message = operations.steer(pool, backend, order);
  if (message !== undefined) return c.json({ message });
  return problem(404, `There is no backend ${JSON.stringify(backend)} in a pool ${JSON.stringify(pool)}.`);
}

const MEMBER_STATUS = { invalid: 422, missing: 404, conflict: 409 } as const;

function answerMember(c: Context, { message, refused }: MemberChanged): Response {
  return refused === undefined ? c.json({ message }) : problem(MEMBER_STATUS[refused], message);
}

function readLimit(query: URLSearchParams): number {
  const text = singleParameter(query, "limit") ?? String(DEFAULT_SESSIONS);
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_SESSIONS) {
    throw new Refusal(400, `limit has to be a whole number from 1 to ${MAX_SESSIONS}.`);
  }
  return limit;
}

function readFilter(query: URLSearchParams): SessionFilter {
  return Object.fromEntries(FILTERS.map((name) => [name, singleParameter(query, name)]));
}

function queryOf(c: Context): URLSearchParams {
  return new URLSearchParams(targetOf(c.req.url).query);
}
