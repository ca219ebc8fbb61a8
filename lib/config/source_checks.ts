/** What can be wrong with `source` of a pool, beside its single addresses. Pure. */

import { isIPv6 } from "../core/is_ip.ts";
import { hasName, isIPv6Address } from "../core/address.ts";
import type { PathFault } from "./findings.ts";
import type { Path } from "./place.ts";
import { asList, asMap } from "./loose.ts";
import type { PoolConfig } from "./pool_schema.ts";

/** Works on the plain document, as cross_checks.ts does. */
export function sourceFaults(document: unknown): PathFault[] {
  return Object.entries(asMap(asMap(document).pools)).flatMap(([name, pool]) => {
    return repeated(asMap(pool).source, ["pools", name, "source"]);
  });
}

/** An address that is there twice would be taken twice as often. */
function repeated(source: unknown, path: Path): PathFault[] {
  const seen = new Set<string>();
  return asList(source).flatMap((text, i) => {
    if (typeof text !== "string") return [];
    const address = canonical(text);
    if (!seen.has(address)) {
      seen.add(address);
      return [];
    }
    const message = `${JSON.stringify(text)} is in the list already; leave one of them out`;
    return [{ path: [...path, i], message }];
  });
}

/** IPv6 can be written in many ways (RFC 5952). */
function canonical(text: string): string {
  return isIPv6(text) && !text.includes("%") ? new URL(`http://[${text}]`).hostname : text;
}

/** A backend is dialled from an address of its own family alone; a name may have both. */
export function sourceNotes({ source, backends, discover, within }: PoolConfig): PathFault[] {
  if (discover !== undefined || backends.some(({ address }) => hasName(address))) return [];
  const families = new Set(backends.flatMap(({ address }) => {
    return address.transport === "tcp" ? [isIPv6Address(address) ? "IPv6" : "IPv4"] : [];
  }));
  // Backends may come where these are.
  if (within.length > 0) families.add("IPv4");
  return source.flatMap((host, i) => {
    const family = isIPv6(host) ? "IPv6" : "IPv4";
    if (families.has(family)) return [];
    const message = `no backend of this pool has an ${family} address, so none is dialled from here`;
    return [{ path: ["source", i], message }];
  });
}
