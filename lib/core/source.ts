/** Where clients come from, as limits and counts tell them apart: an IPv4 address, or the first 64 bits of an IPv6 address. */

import type { Endpoint } from "./endpoint.ts";
import { ipText } from "./ip_bytes.ts";
import { readIP } from "./ip_words.ts";

const words = new Uint32Array(4);

/** As `192.0.2.1` or `2001:db8::/64`, or `unix` for clients without an address. A network has at least 64 bits for its hosts (RFC 4291, 2.5.4). */
export function sourceText(endpoint: Endpoint): string {
  if (endpoint.transport === "unix") return "unix";
  const family = readIP(endpoint.host, words);
  return family === undefined ? endpoint.host : textOfSource(words.subarray(0, family === 4 ? 1 : 2));
}

/** @param source The word of an IPv4 address, or the two of the first half of an IPv6 address. */
export function textOfSource(source: Uint32Array): string {
  const bytes = [...source]
    .flatMap((word) => [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff]);
  return source.length === 1 ? ipText(bytes) : `${ipText([...bytes, 0, 0, 0, 0, 0, 0, 0, 0])}/64`;
}
