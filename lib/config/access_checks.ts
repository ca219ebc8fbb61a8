/**
 * What no single value can know of who is let in: whether clients have addresses, and what goes together.
 *
 * Works on the plain document, as cross_checks.ts does.
 */

import { parseListenAddress } from "../core/address.ts";
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
  const isNameless = parsedAddress(listen, parseListenAddress)?.transport === "unix" &&
    proxy_protocol === undefined;
  if (isNameless) return namelessFaults(listener, path);
  return [
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
