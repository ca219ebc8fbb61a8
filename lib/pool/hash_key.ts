/** What a session is known by to a consistent algorithm. */

import type { AlgorithmName } from "../balance/algorithms.ts";
import { hashText } from "../balance/hash.ts";
import type { Endpoint } from "../core/endpoint.ts";

export const HASH_KEYS = ["source_ip", "source_address", "sni"] as const;
export type HashKey = typeof HASH_KEYS[number];

/** IPv4 as a socket for both families shows it (RFC 4291, 2.5.5.2): the same client as without the prefix. */
const MAPPED_IPV4 = "::ffff:";

/**
 * A number that is the same for sessions that belong together; 0 for algorithms that do not ask.
 *
 * @param session Asked for its client only where that matters: an address costs each session its text.
 * @param serverName That the client asked for. Without one, `sni` goes by the IP address.
 */
export function keyOf(
  session: { readonly source: Endpoint },
  algorithm: AlgorithmName,
  hashKey: HashKey,
  serverName?: string,
): number {
  if (algorithm !== "maglev") return 0;
  if (hashKey === "sni" && serverName !== undefined) return hashText(serverName);
  const { source } = session;
  // All clients of a Unix socket are one: they have no address.
  if (source.transport === "unix") return 0;
  const { host, port } = source;
  const ip = host.startsWith(MAPPED_IPV4) ? host.slice(MAPPED_IPV4.length) : host;
  return hashText(hashKey === "source_address" ? `${ip} ${port}` : ip);
}
