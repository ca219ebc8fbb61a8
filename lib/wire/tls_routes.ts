/** Which way a TLS session goes, by what its ClientHello asks for. Pure. */

import { canonicalPattern, wildcardOf } from "../core/server_name.ts";
import type { ClientHello } from "./client_hello.ts";

/** What a session must ask for to go this way. */
export interface TlsRoute {
  /** A pattern of server names (lib/core/server_name.ts); undefined matches every session, also one that names no server. */
  readonly sni?: string | undefined;
  /** Matches when the client offers one of these; undefined or empty matches every session. */
  readonly alpn?: readonly string[] | undefined;
}

/**
 * Prepares routes for lookups that take as long for a thousand as for one, as far as their names differ.
 *
 * @return Gives the first route, in their order, that matches; undefined when none does.
 */
export function routeFinder<Route extends TlsRoute>(
  routes: readonly Route[],
): (hello: Pick<ClientHello, "serverName" | "alpn">) => Route | undefined {
  /** By pattern, and "" for those without: positions in ascending order. */
  const positions = Map.groupBy(
    routes.keys(),
    (position) => canonicalPattern(routes[position]?.sni ?? ""),
  );
  return ({ serverName, alpn }) => {
    const patterns = serverName === undefined ? [""] : ["", serverName, wildcardOf(serverName) ?? ""];
    let first: number | undefined;
    for (const pattern of patterns) {
      const found = positions.get(pattern)?.find((position) => isOffered(routes[position]?.alpn, alpn));
      if (found !== undefined && (first === undefined || found < first)) first = found;
    }
    return first === undefined ? undefined : routes[first];
  };
}

function isOffered(wanted: readonly string[] | undefined, offered: readonly string[]): boolean {
  return wanted === undefined || wanted.length === 0 || wanted.some((protocol) => offered.includes(protocol));
}
