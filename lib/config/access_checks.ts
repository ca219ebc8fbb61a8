/**
 * What no single value can know of who is let in: whether clients have addresses, and what goes together.
 *
 * Works on the plain document, as cross_checks.ts does.
 */

import { type Address, parseListenAddress } from "../core/address.ts";
import { isIPv4, isIPv6 } from "../core/is_ip.ts";
import { canonicalHost } from "../core/overlap.ts";
import type { Path } from "./place.ts";
import type { PathFault } from "./findings.ts";
import { asList, asMap, parsedAddress } from "./loose.ts";
import { repeatedFaults } from "./tls_checks.ts";

/** Keys that go by the address of the client, and whether they say anything. */
const BY_ADDRESS: readonly (readonly [key: string, isSet: (value: unknown) => boolean])[] = [
  ["allow", (value) => asList(value).length > 0],
  ["deny", (value) => asList(value).length > 0],
  ["max_connections_per_source", (value) => typeof value === "number" && value > 0],
  ["connection_rate", (value) => Number(asMap(value).per_second ?? 0) > 0],
];

/** @param path Where the listener stands. */
export function accessFaults(listener: Record<string, unknown>, path: Path): PathFault[] {
  const { allow, deny, listen, proxy_protocol, connection_rate } = listener;
  const address = parsedAddress(listen, parseListenAddress);
  if (address?.transport === "unix" && proxy_protocol === undefined) return namelessFaults(listener, path);
  // Where a header names the clients, they may be of either family.
  const [peers, at] = proxy_protocol === undefined
    ? [allow, ["allow"]]
    : [asMap(proxy_protocol).from, ["proxy_protocol", "from"]];
  return [
    ...familyFaults(address, asList(peers), [...path, ...at]),
    ...socketFileFaults(listener, path),
    ...repeatedFaults(allow, [...path, "allow"]),
    ...repeatedFaults(deny, [...path, "deny"]),
    ...contradictions(asList(allow), asList(deny), [...path, "allow"]),
    ...burstFaults(asMap(connection_rate), [...path, "connection_rate"]),
  ];
}

/**
 * What only a Unix socket has.
 *
 * @param listener Or the admin side.
 */
export function socketFileFaults(listener: Record<string, unknown>, path: Path): PathFault[] {
  const transport = parsedAddress(listener.listen, parseListenAddress)?.transport;
  if (transport === undefined || transport === "unix") return [];
  return ["mode", "group"].filter((key) => key in listener).map((key) => {
    const message = `only a Unix socket has a file; leave ${key} out`;
    return { path: [...path, key], message, atKey: true };
  });
}

function namelessFaults(listener: Record<string, unknown>, path: Path): PathFault[] {
  return BY_ADDRESS.filter(([key, isSet]) => isSet(listener[key])).map(([key]) => {
    const message = `clients of a Unix socket have no IP address; leave ${key} out ` +
      "(mode and group say who may connect), or take the address from a PROXY header with proxy_protocol";
    return { path: [...path, key], message, atKey: true };
  });
}

/** No peer of an IPv4 address has an IPv6 address, and the other way round: such ranges alone let no one in. */
function familyFaults(address: Address | undefined, ranges: readonly unknown[], path: Path): PathFault[] {
  if (address === undefined || address.transport === "unix") return [];
  // All addresses: of both families, unless the system says otherwise.
  const family = canonicalHost(address.host) === "::" ? undefined : familyOf(address.host);
  const isOther = (range: unknown): boolean => {
    const other = typeof range === "string" ? familyOf(range.replace(/\/.*/, "")) : undefined;
    return other !== undefined && other !== family;
  };
  if (family === undefined || ranges.length === 0 || !ranges.every(isOther)) return [];
  const message =
    `only ${family} arrives at this address, and no range here is of ${family}; add one that is`;
  return [{ path, message }];
}

/** Undefined for a name, whose addresses are not known here. */
function familyOf(host: string): "IPv4" | "IPv6" | undefined {
  const canonical = canonicalHost(host);
  return isIPv4(canonical) ? "IPv4" : isIPv6(canonical) ? "IPv6" : undefined;
}

/** What is denied as well is never allowed. */
function contradictions(allow: readonly unknown[], deny: readonly unknown[], path: Path): PathFault[] {
  const denied = new Set(deny);
  return allow.flatMap((it, i) => {
    if (typeof it !== "string" || !denied.has(it)) return [];
    const message = `${JSON.stringify(it)} stands in deny as well, which wins; leave one of them out`;
    return [{ path: [...path, i], message }];
  });
}

/** Without a rate there is no bucket. */
function burstFaults({ per_second = 0, burst = 0 }: Record<string, unknown>, path: Path): PathFault[] {
  if (per_second !== 0 || typeof burst !== "number" || burst <= 0) return [];
  return [{
    path: [...path, "burst"],
    message: "burst needs a rate; add per_second, or leave burst out",
    atKey: true,
  }];
}
