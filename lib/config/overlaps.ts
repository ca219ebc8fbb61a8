/** Which listening addresses take connections for one another, decided from how they are written. Pure. */

import { isIPv4 } from "../core/is_ip.ts";
import { resolve } from "node:path";
import type { Address } from "../core/address.ts";
import { canonicalHost } from "../core/overlap.ts";

/** Stands for every address of the machine: takes IPv4 as well, unless the system says otherwise. */
const ALL = "::";
const ALL_IPV4 = "0.0.0.0";

/** What the name may be resolved to. */
const LOCALHOST = ["localhost", "127.0.0.1", "::1"];

/** A Unix path means the same however it is written. */
export function absolute(address: Address, folder: string): Address {
  return address.transport === "unix" ? { ...address, path: resolve(folder, address.path) } : address;
}

/** Whether two listeners on these addresses would get in each other's way. Unix paths have to be absolute. */
export function overlap(one: Address, other: Address): boolean {
  if (one.transport === "unix" || other.transport === "unix") {
    return one.transport === "unix" && other.transport === "unix" && one.path === other.path;
  }
  if (one.transport !== other.transport || one.port !== other.port || one.port === 0) return false;
  const [a, b] = [canonicalHost(one.host), canonicalHost(other.host)];
  return a === b || covers(a, b) || covers(b, a);
}

/**
 * Whether a dial of this address, on the same machine, arrives at this listener. An address that is not the loopback's and not
 * the listener's own may be one of this machine, or not; it is taken to be another one's.
 */
export function arrivesAt(dialled: Address, listener: Address): boolean {
  if (dialled.transport === "unix" || listener.transport === "unix") return overlap(dialled, listener);
  const host = canonicalHost(dialled.host);
  if (host !== canonicalHost(listener.host) && !isThisMachine(host)) return false;
  // To dial all addresses is to dial the loopback.
  const target = host === ALL || host === ALL_IPV4 ? "localhost" : dialled.host;
  return overlap({ ...dialled, host: target }, listener);
}

/** Whether a wide host takes what is meant for another one. */
function covers(wide: string, host: string): boolean {
  if (wide === ALL) return true;
  if (wide === ALL_IPV4) return isIPv4(host) || host === "localhost";
  return wide === "localhost" && LOCALHOST.includes(host);
}

function isThisMachine(host: string): boolean {
  return LOCALHOST.includes(host) || host === ALL ||
    (isIPv4(host) && /^(127\.|0\.0\.0\.0$)/.test(host));
}
