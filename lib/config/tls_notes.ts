/** What a configuration may say about TLS, routes and the PROXY protocol but probably does not mean. */

import { formatIPRange } from "../core/ip_range.ts";
import { matchesServerName } from "../core/server_name.ts";
import type { PathFault } from "./findings.ts";
import type { Path } from "./place.ts";
import type { ListenerConfig } from "./listener_schema.ts";
import type { PoolConfig } from "./pool_schema.ts";
import type { CheckedConfig } from "./schema.ts";

type Route = ListenerConfig["routes"][number];

/** Notes on a configuration that was checked. */
export function tlsNotes({ listeners, pools }: Pick<CheckedConfig, "listeners" | "pools">): PathFault[] {
  return [
    ...listeners.flatMap((listener, i) => [
      ...hiddenRoutes(listener.routes, ["listeners", i, "routes"]),
      ...encryptedTwice(listener.routes, pools, ["listeners", i, "routes"]),
      ...trustsEveryPeer(listener, ["listeners", i, "proxy_protocol", "from"]),
    ]),
    ...Object.entries(pools).flatMap(([name, pool]) => [
      ...unverified(pool, ["pools", name, "tls"]),
    ]),
  ];
}

/** Routes for which an earlier one takes everything. */
function hiddenRoutes(routes: readonly Route[], path: Path): PathFault[] {
  return routes.flatMap((route, i) => {
    const first = routes.slice(0, i).findIndex((earlier) => hides(earlier, route));
    if (first === -1) return [];
    const message = `never taken, since routes[${first}] matches the same clients and stands before it`;
    return [{ path: [...path, i], message }];
  });
}

function hides(earlier: Route, later: Route): boolean {
  const hasNames = earlier.sni === undefined ||
    (later.sni !== undefined && matchesServerName(earlier.sni, later.sni));
  const hasProtocols = earlier.alpn.length === 0 ||
    (later.alpn.length > 0 && later.alpn.every((it) => earlier.alpn.includes(it)));
  return hasNames && hasProtocols;
}

/** What is routed by its ClientHello is TLS, and is passed on as it is. */
function encryptedTwice(
  routes: readonly Route[],
  pools: Readonly<Record<string, PoolConfig>>,
  path: Path,
): PathFault[] {
  return routes.flatMap(({ pool }, i) => {
    if (pools[pool]?.tls === undefined) return [];
    const message =
      `what is routed is TLS already, and the pool ${pool} has tls, which encrypts it a second time`;
    return [{ path: [...path, i, "pool"], message }];
  });
}

/** A peer that may send a header decides which address its client has. */
function trustsEveryPeer({ proxyProtocol }: ListenerConfig, path: Path): PathFault[] {
  return (proxyProtocol?.from ?? []).flatMap((source, i) => {
    if (source === "unix" || source.prefixBits > 0) return [];
    const message = `${formatIPRange(source)} is everyone, so every client can say which address it has`;
    return [{ path: [...path, i], message }];
  });
}

function unverified({ tls }: PoolConfig, path: Path): PathFault[] {
  if (tls === undefined || tls.verify) return [];
  const verify =
    "the certificates of backends are not verified, so any server in their place can read what is relayed";
  const notes = [{ path: [...path, "verify"], message: verify }];
  if (tls.ca === undefined) return notes;
  return [...notes, { path: [...path, "ca"], message: "never used, since verify is false" }];
}
