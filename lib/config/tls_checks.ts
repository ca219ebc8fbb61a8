/**
 * What no single value of TLS, routes and the PROXY protocol can know: keys that go together, and keys that shut each other out.
 *
 * Works on the plain document, as cross_checks.ts does.
 */

import { parseDialAddress, parseListenAddress } from "../core/address.ts";
import { canonicalPattern } from "../core/server_name.ts";
import type { PathFault } from "./findings.ts";
import type { Path } from "./place.ts";
import { asList, asMap, isMap, parsedAddress } from "./loose.ts";

/** @param path Where the listener stands. */
export function listenerTlsFaults(listener: Record<string, unknown>, path: Path): PathFault[] {
  const { routes, tls, proxy_protocol, listen } = listener;
  return [
    ...routeFaults(asList(routes), [...path, "routes"]),
    ...(asList(routes).length > 0 && tls !== undefined ? [openedFault([...path, "routes"])] : []),
    ...certificateFaults(asList(asMap(tls).certificates), [...path, "tls", "certificates"]),
    ...repeatedFaults(asMap(tls).alpn, [...path, "tls", "alpn"]),
    ...sourceFaults(asMap(proxy_protocol).from, listen, [...path, "proxy_protocol", "from"]),
  ];
}

/** @param path Where the pool stands. */
export function poolTlsFaults(pool: Record<string, unknown>, path: Path): PathFault[] {
  const { send_proxy_protocol: sent, tls, backends } = pool;
  const { version, checksum } = asMap(sent);
  const checksumFaults: PathFault[] = version === "v1" && checksum === true
    ? [{
      path: [...path, "send_proxy_protocol", "checksum"],
      message: "only version 2 has a checksum; write version: v2, or leave it out",
    }]
    : [];
  if (!isMap(tls)) return checksumFaults;
  return [
    ...checksumFaults,
    ...pairFaults(tls, [...path, "tls"]),
    ...repeatedFaults(tls.alpn, [...path, "tls", "alpn"]),
    ...namelessFaults(tls, asList(backends), [...path, "backends"]),
  ];
}

function openedFault(path: Path): PathFault {
  const message = "routes go by the ClientHello of a TLS that stays closed, but this listener opens it; " +
    "leave routes or tls out";
  return { path, message, atKey: true };
}

/** A route without a condition, and one that stands twice. */
function routeFaults(routes: readonly unknown[], path: Path): PathFault[] {
  const known = new Map<string, number>();
  return routes.flatMap((route, i) => {
    if (!isMap(route)) return [];
    const { sni, alpn = [] } = route;
    const faults = repeatedFaults(alpn, [...path, i, "alpn"]);
    if (!Array.isArray(alpn)) return faults;
    if (sni === undefined && alpn.length === 0) {
      const message =
        "a route needs sni, alpn or both; what no route matches goes to the pool of the listener";
      return [...faults, { path: [...path, i], message }];
    }
    if (sni !== undefined && typeof sni !== "string") return faults;
    const name = sni === undefined ? undefined : canonicalPattern(sni);
    const key = JSON.stringify([name, alpn.toSorted()]);
    const first = known.get(key);
    if (first === undefined) {
      known.set(key, i);
      return faults;
    }
    const message =
      `the same sni and alpn as routes[${first}], which is always taken first; leave one of them out`;
    return [...faults, { path: [...path, i], message }];
  });
}

function certificateFaults(certificates: readonly unknown[], path: Path): PathFault[] {
  const files = certificates.map((it) => asMap(it).cert);
  return files.flatMap((file, i) => {
    if (typeof file !== "string" || files.indexOf(file) === i) return [];
    const message = `the certificate ${JSON.stringify(file)} is used a second time`;
    return [{ path: [...path, i, "cert"], message }];
  });
}

/** A certificate is shown with its key. */
function pairFaults(tls: Record<string, unknown>, path: Path): PathFault[] {
  const pairs = [["cert", "key", "its private key"], ["key", "cert", "its certificate"]] as const;
  return pairs.flatMap(([has, needs, what]) => {
    if (tls[has] === undefined || tls[needs] !== undefined) return [];
    const message = `missing; ${has} needs ${what} (which may be in the same file)`;
    return [{ path: [...path, needs], message }];
  });
}

/** The certificate of a backend without a host has no name to be verified by. */
function namelessFaults(tls: Record<string, unknown>, backends: readonly unknown[], path: Path): PathFault[] {
  const { server_name: name, verify = true } = tls;
  if (name !== undefined || verify !== true) return [];
  return backends.flatMap((backend, i) => {
    const isShort = typeof backend === "string";
    const address = parsedAddress(isShort ? backend : asMap(backend).address, parseDialAddress);
    if (address?.transport !== "unix") return [];
    const message =
      "a Unix socket has no host that its certificate could name; set server_name in tls of the pool";
    return [{ path: isShort ? [...path, i] : [...path, i, "address"], message }];
  });
}

/** Peers of a Unix socket have no address, all others have one. */
function sourceFaults(from: unknown, listen: unknown, path: Path): PathFault[] {
  const address = parsedAddress(listen, parseListenAddress);
  if (address === undefined) return [];
  const isUnix = address.transport === "unix";
  const faults = asList(from).flatMap((source, i) => {
    if (typeof source !== "string" || (source === "unix") === isUnix) return [];
    const message = isUnix
      ? "peers of a Unix socket have no IP address; write [unix]"
      : "only a listener on a Unix socket has peers without an address; write ranges, as [10.0.0.0/8]";
    return [{ path: [...path, i], message }];
  });
  return [...faults, ...repeatedFaults(from, path)];
}

/** Texts that stand twice in a list. */
export function repeatedFaults(list: unknown, path: Path): PathFault[] {
  const known = new Set<string>();
  return asList(list).flatMap((it, i) => {
    if (typeof it !== "string" || known.size < known.add(it).size) return [];
    return [{ path: [...path, i], message: `${JSON.stringify(it)} stands here a second time` }];
  });
}
