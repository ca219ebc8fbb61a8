/** A listener of the configuration: where it accepts connections or takes datagrams, and which pool its sessions go to. */

import { z } from "zod";
import { formatAddress } from "../core/address.ts";
import { count, duration, ipRanges, listenAddress, name, refuse, section } from "./fields.ts";
import { socketGroup, socketMode } from "./socket_file_schema.ts";
import { keepalive } from "./keepalive_schema.ts";
import { rateLimit } from "./rate_limit_schema.ts";
import { listenerTls, protocols, proxyProtocol, serverNamePattern } from "./tls_schema.ts";

/** Connections that wait to be accepted, where the configuration does not say. */
export const DEFAULT_BACKLOG = 4096;

/** How long a session may be silent, where the configuration does not say. A flow has no other end than its silence. */
const IDLE_TIMEOUT_MS = { connection: 600_000, flow: 30_000 };

/** Flows at once, where the configuration does not say. */
const DEFAULT_MAX_FLOWS = 16_384;

function poolName(description: string): z.ZodType<string, string> {
  return z.string({
    error: ({ input }) => {
      if (typeof input === "number") {
        return `${input} is not the name of a pool; write a name of digits in quotes`;
      }
      return refuse("the name of a pool", "name one of the pools").error({ input });
    },
  }).meta({ title: "name of a pool", description });
}

/** What it needs beside its pool is in tls_checks.ts. */
const route = section("a route", {
  sni: serverNamePattern(
    "The server name that a client asks for: www.example.com, or *.example.com, where the star is one label.",
  ).optional(),
  alpn: protocols("Protocols of which a client offers at least one; without any, it may offer what it likes.")
    .prefault([]),
  pool: poolName("The pool that such sessions go to."),
});

/** One listener. */
export const listener = section("a listener", {
  name: name("How logs and metrics call it; by default its address.").optional(),
  listen: listenAddress(
    "Where to accept connections: host:port, [v6]:port, :port (all addresses) or unix:/path; or where to take datagrams: udp:host:port.",
  ),
  pool: poolName(
    "The pool that its sessions go to; beside routes those that none of them matches, which are refused without it.",
  ).optional(),
  routes: z.array(route, refuse("a list", 'list routes, as - { sni: "*.example.com", pool: web }'))
    .meta({
      description:
        "Which pool a session goes to by the first message of its TLS (ClientHello), which is passed on as it is: the first route that matches.",
    }).prefault([]),
  tls: listenerTls.meta({
    description: "TLS that ends here; without it its bytes are passed on as they are.",
  })
    .optional(),
  proxy_protocol: proxyProtocol
    .meta({
      description: "Takes the address of the client from a header of the PROXY protocol, version 1 or 2.",
    }).optional(),
  allow: ipRanges(
    "Whose clients are let in, by ranges of IP addresses; empty: everyone's. It goes by the client that a PROXY header names, where one is expected.",
  ).prefault([]),
  deny: ipRanges("Whose clients are not let in, also where allow has them.").prefault([]),
  max_connections: count(
    0,
    1_000_000,
    "Sessions at once, over all workers; 0 is no limit. At the limit accepting pauses.",
  )
    .prefault(0),
  max_connections_per_source: count(
    0,
    1_000_000,
    "Sessions at once of one source (an IPv4 address, or an IPv6 /64), over all workers; 0 is no limit. One more is cut at once.",
  )
    .prefault(0),
  connection_rate: section("connection_rate", {
    per_second: count(
      0,
      10_000,
      "Connections that one source (an IPv4 address, or an IPv6 /64) may open a second in the long run, over all workers; 0 is no limit. More are cut at once.",
    ).prefault(0),
    burst: count(
      0,
      1_000_000,
      "Connections that a source which was silent may open at once; 0: as many as per_second.",
    ).prefault(0),
  }, "write connection_rate: { per_second: 20, burst: 200 }").transform((it) => ({
    perSecond: it.per_second,
    burst: it.burst,
  }))
    .meta({ description: "How fast one source may open connections." }).prefault({}),
  rate_limit: rateLimit,
  mode: socketMode.optional(),
  group: socketGroup.optional(),
  backlog: count(
    1,
    65_535,
    "Connections that the kernel keeps waiting until they are accepted. Linux cuts it to net.core.somaxconn; with the engine runtime a Unix socket has 1024.",
  ).prefault(DEFAULT_BACKLOG),
  keepalive,
  handshake_timeout: duration(
    "How long a client may take for its PROXY header, its ClientHello and the handshake of TLS together; more than 0s.",
    1,
  ).prefault("5s"),
  idle_timeout: duration(
    "Ends a session when no byte moved in either direction for so long; 0s is never. UDP: 30s by default.",
  ).meta({ default: "10m" }).optional(),
  half_close_timeout: duration(
    "Ends a session when one direction has ended and the other stays silent for so long; 0s is never.",
  )
    .prefault("1m"),
  max_session_duration: duration("Ends a session this long after it began; 0s is never.").prefault("0s"),
  max_flows: count(
    1,
    1_000_000,
    "UDP: flows at once, over all workers; a flow is what comes from one address and port. For one more, the one that was idle for longest ends.",
  ).meta({ default: DEFAULT_MAX_FLOWS }).optional(),
  responses: count(
    0,
    1_000_000,
    "UDP: a flow is over when each datagram of its client was answered by so many, as 1 of DNS; 0: when it was idle for idle_timeout.",
  ).meta({ default: 0 }).optional(),
}).transform((it) => ({
  name: it.name ?? formatAddress(it.listen),
  listen: it.listen,
  pool: it.pool,
  routes: it.routes,
  tls: it.tls,
  proxyProtocol: it.proxy_protocol,
  allow: it.allow,
  deny: it.deny,
  maxConnections: it.max_connections,
  maxConnectionsPerSource: it.max_connections_per_source,
  connectionRate: it.connection_rate,
  rateLimit: it.rate_limit,
  mode: it.mode,
  group: it.group,
  backlog: it.backlog,
  keepalive: it.keepalive,
  handshakeTimeoutMs: it.handshake_timeout,
  idleTimeoutMs: it.idle_timeout ?? IDLE_TIMEOUT_MS[it.listen.transport === "udp" ? "flow" : "connection"],
  halfCloseTimeoutMs: it.half_close_timeout,
  maxSessionDurationMs: it.max_session_duration,
  /** What bounds the flows of a listener on UDP; undefined where it accepts connections. */
  flows: it.listen.transport !== "udp"
    ? undefined
    : { maxFlows: it.max_flows ?? DEFAULT_MAX_FLOWS, responses: it.responses ?? 0 },
}));

/** A listener that was checked. */
export type ListenerConfig = z.output<typeof listener>;

/** The pools of listeners on UDP, whose backends are dialled over UDP. A configuration was checked: no other listener has them. */
export function udpPools(listeners: readonly ListenerConfig[]): ReadonlySet<string> {
  return new Set(listeners.filter(({ listen }) => listen.transport === "udp").flatMap(poolsOf));
}

/** The pools that its sessions may go to. */
export function poolsOf({ pool, routes }: Pick<ListenerConfig, "pool" | "routes">): string[] {
  return [...new Set([...routes.map((it) => it.pool), ...(pool === undefined ? [] : [pool])])];
}
