/** Which of our own sockets an address gets in the way of. The system only says that a port is in use. */

import { isIPv4 } from "./is_ip.ts";
import { type Address, formatAddress } from "./address.ts";
import { withoutZone, zoneOf } from "./zone.ts";

/** A part of this program that listens. */
export interface Holder {
  readonly address: Address;
  /** As a message calls it: `listener "web"`, `the admin page`. */
  readonly what: string;
  /** Whether it goes on to listen there; the others would make room, but not without a moment in which nothing listens. */
  readonly isStaying: boolean;
  /** Whether a new listener of the same address can have its socket. */
  readonly isShareable: boolean;
}

/** The holder of exactly this address, however it is spelled. */
export function sameHolder(address: Address, holders: readonly Holder[]): Holder | undefined {
  const key = keyOf(address);
  return holders.find((holder) => keyOf(holder.address) === key);
}

/** The holder because of which this address cannot be listened on: of the same address, or of all addresses of its port. */
export function overlappingHolder(address: Address, holders: readonly Holder[]): Holder | undefined {
  return sameHolder(address, holders) ?? holders.find((holder) => overlap(address, holder.address));
}

function overlap(one: Address, other: Address): boolean {
  if (one.transport === "unix" || other.transport === "unix") return false;
  if (one.transport !== other.transport || one.port !== other.port) return false;
  const hosts = [canonicalHost(one.host), canonicalHost(other.host)];
  // An interface has a name and a number, and which of them belong together is not known here.
  const [zone, otherZone] = hosts.map(zoneOf);
  if (zone !== undefined && otherZone !== undefined) {
    const isNumbered = [zone, otherZone].filter((it) => /^\d+$/.test(it)).length === 1;
    return isNumbered && withoutZone(one.host) === withoutZone(other.host);
  }
  // "::" has IPv4 as well, unless the system says otherwise; then the two are not in each other's way.
  return hosts.includes("::") || (hosts.includes("0.0.0.0") && hosts.every(isIPv4));
}

function keyOf(address: Address): string {
  if (address.transport === "unix") return formatAddress(address);
  return formatAddress({ ...address, host: canonicalHost(address.host) });
}

/**
 * One way of writing for each host: IPv6 shortened (RFC 5952) with its zone, IPv4 that is mapped into IPv6 as IPv4, names in
 * small letters without a final dot, all addresses as `::`.
 */
export function canonicalHost(host: string): string {
  if (host === "") return "::";
  if (!host.includes(":")) return host.toLowerCase().replace(/\.$/, "");
  const short = URL.parse(`http://[${withoutZone(host)}]/`)?.hostname.slice(1, -1);
  if (short === undefined) return host;
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short) ?? [];
  if (high === undefined || low === undefined) {
    const zone = zoneOf(host);
    return zone === undefined ? short : `${short}%${zone}`;
  }
  const [a, b] = [parseInt(high, 16), parseInt(low, 16)];
  return `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`;
}
