/**
 * What goes with datagrams alone, and what with connections alone.
 *
 * Works on the plain document, as cross_checks.ts does.
 */

import { parseDialAddress, parseListenAddress } from "../core/address.ts";
import type { Path } from "./place.ts";
import type { PathFault } from "./findings.ts";
import { asList, asMap, isMap, parsedAddress } from "./loose.ts";

type Loose = Record<string, unknown>;

/** Keys of a listener that mean nothing for datagrams, and what is said of them. */
const OF_CONNECTIONS: readonly (readonly [key: string, why: string])[] = [
  ["tls", "TLS needs a connection, and this listener takes datagrams (UDP); leave tls out"],
  [
    "routes",
    "routes go by the first message of TLS over TCP, and this listener takes datagrams (UDP); leave routes out",
  ],
  [
    "proxy_protocol",
    "a PROXY header introduces a connection, and this listener takes datagrams (UDP); leave proxy_protocol out",
  ],
  ["max_connections", "UDP has no connections; write max_flows"],
  ["handshake_timeout", "UDP has no handshake; leave handshake_timeout out"],
  [
    "half_close_timeout",
    "UDP has no half-closed connections; leave half_close_timeout out, idle_timeout ends a flow",
  ],
  ["keepalive", "UDP has no probes; leave keepalive out, idle_timeout ends a flow"],
  ["backlog", "no datagram waits to be accepted; leave backlog out"],
];

/** Keys that a listener on UDP may not have. */
export const KEYS_OF_CONNECTIONS: readonly string[] = OF_CONNECTIONS.map(([key]) => key);

/** Keys that no other listener may have. */
export const KEYS_OF_FLOWS: readonly string[] = ["max_flows", "responses"];

/** Who uses a pool. */
interface Use {
  /** Where that is said. */
  readonly path: Path;
  readonly listener: number;
  readonly pool: unknown;
  readonly isUdp: boolean;
}

/** All faults of listeners and pools that have to do with datagrams. */
export function udpFaults(listeners: readonly unknown[], pools: Loose): PathFault[] {
  const uses = listeners.flatMap((listener, i) => usesOf(asMap(listener), i));
  return [
    ...listeners.flatMap((listener, i) => listenerFaults(asMap(listener), ["listeners", i])),
    ...Object.entries(pools).flatMap(([name, pool]) => {
      const own = uses.filter((it) => it.pool === name);
      const [first, ...others] = own;
      if (first === undefined) return [];
      const mixed = others.filter(({ isUdp }) => isUdp !== first.isUdp);
      if (mixed.length > 0) return mixed.map(({ path }) => mixedFault(path, name, first));
      const path = ["pools", name];
      return first.isUdp
        ? poolFaults(asMap(pool), path, first.listener)
        : streamPoolFaults(asMap(pool), path);
    }),
  ];
}

/** What is no address says nothing about who uses a pool. */
function usesOf({ listen, pool, routes }: Loose, listener: number): Use[] {
  const transport = parsedAddress(listen, parseListenAddress)?.transport;
  if (transport === undefined) return [];
  const base = { listener, isUdp: transport === "udp" };
  return [
    { ...base, path: ["listeners", listener, "pool"], pool },
    // Those of a listener on UDP are a fault of their own.
    ...(base.isUdp ? [] : asList(routes)).map((route, i) => {
      return { ...base, path: ["listeners", listener, "routes", i, "pool"], pool: asMap(route).pool };
    }),
  ];
}

function mixedFault(path: Path, pool: string, first: Use): PathFault {
  const [theirs, ours] = first.isUdp ? ["datagrams", "connections"] : ["connections", "datagrams"];
  const message =
    `the pool ${pool} has the ${theirs} of listeners[${first.listener}] already, and this listener ` +
    `takes ${ours}; write a pool of its own for it`;
  return { path, message };
}

function listenerFaults(listener: Loose, path: Path): PathFault[] {
  const transport = parsedAddress(listener.listen, parseListenAddress)?.transport;
  if (transport === undefined) return [];
  if (transport !== "udp") {
    return KEYS_OF_FLOWS.filter((key) => key in listener).map((key) => {
      const message =
        `${key} belongs to a listener that takes datagrams; leave it out, or listen on udp:host:port`;
      return { path: [...path, key], message, atKey: true };
    });
  }
  return OF_CONNECTIONS.flatMap(([key, message]) => {
    const isSaid = key === "routes" ? asList(listener.routes).length > 0 : key in listener;
    return isSaid ? [{ path: [...path, key], message, atKey: true }] : [];
  });
}

function poolFaults(pool: Loose, path: Path, listener: number): PathFault[] {
  const { backends, tls, send_proxy_protocol: sent, hash_key: hashKey, health_check: check } = pool;
  const served = `and this pool has the datagrams of listeners[${listener}]`;
  const faults = asList(backends).flatMap((backend, i): PathFault[] => {
    const isShort = typeof backend === "string";
    const address = parsedAddress(isShort ? backend : asMap(backend).address, parseDialAddress);
    if (address?.transport !== "unix") return [];
    const message = `a Unix socket takes connections, ${served}; write host:port`;
    return [{ path: [...path, "backends", i, ...(isShort ? [] : ["address"])], message }];
  });
  if (tls !== undefined) {
    faults.push({
      path: [...path, "tls"],
      message: `TLS needs a connection, ${served}; leave tls out`,
      atKey: true,
    });
  }
  if (sent !== undefined && sent !== "none") {
    const message = `a PROXY header introduces a connection, ${served}; leave send_proxy_protocol out`;
    faults.push({ path: [...path, "send_proxy_protocol"], message, atKey: true });
  }
  if (hashKey === "sni") {
    const message = `a server name is asked for with TLS, ${served}; write source_ip or source_address`;
    faults.push({ path: [...path, "hash_key"], message });
  }
  if (isMap(check) && !("type" in check)) {
    const message = "missing; write udp (with send, and expect), or tcp, http or expect, which ask over TCP";
    faults.push({ path: [...path, "health_check", "type"], message });
  }
  return faults;
}

function streamPoolFaults({ health_check: check }: Loose, path: Path): PathFault[] {
  if (asMap(check).type !== "udp") return [];
  const message = "type udp is for the pools of listeners on UDP; use tcp, http or expect";
  return [{ path: [...path, "health_check", "type"], message }];
}

/** What a check of type udp says: its texts are bytes, and there is no answer where nothing was asked. */
export function datagramCheckFaults(check: Loose, path: Path): PathFault[] {
  const faults: PathFault[] = check.send === undefined || check.send === ""
    ? [{
      path: [...path, "send"],
      message: `${
        check.send === "" ? "empty" : "missing"
      }; write the datagram that is sent, in double quotes`,
    }]
    : [];
  for (const key of ["send", "expect"]) {
    const text = check[key];
    const wide = typeof text === "string" ? /[^\0-\xff]/u.exec(text)?.[0] : undefined;
    if (wide === undefined) continue;
    const message = `${JSON.stringify(wide)} is no byte; write bytes as "\\x00" to "\\xff" in double quotes`;
    faults.push({ path: [...path, key], message });
  }
  return faults;
}
