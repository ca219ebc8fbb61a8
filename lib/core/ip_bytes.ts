/** IP addresses as bytes in network order, 4 or 16 of them, and as text. Pure. */

import { isIPv4, isIPv6 } from "./is_ip.ts";
import { withoutZone } from "./zone.ts";

/** The bytes of an IP address, without the zone that it may have; undefined for any other text. */
export function ipBytes(host: string): number[] | undefined {
  if (isIPv4(host)) return host.split(".").map(Number);
  return isIPv6(host) ? ipv6Bytes(withoutZone(host)) : undefined;
}

/** The 16 bytes of an IPv6 address without zone. */
export function ipv6Bytes(host: string): number[] {
  // URLs know every way to write one, and give eight groups at most, with one gap.
  const [left = "", right] = new URL(`http://[${host}]`).hostname.slice(1, -1).split("::");
  const groupsOf = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((it) => parseInt(it, 16));
  const [head, tail] = [groupsOf(left), groupsOf(right ?? "")];
  const groups = [...head, ...new Array(8 - head.length - tail.length).fill(0), ...tail];
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

/**
 * The text of 4 or 16 bytes: IPv6 in the short form of RFC 5952, an IPv4-mapped address (RFC 4291, 2.5.5.2) as the IPv4 address
 * that it is. So one client has one text, which limits and hashes rely on.
 */
export function ipText(bytes: ArrayLike<number>): string {
  if (bytes.length === 4) return dotted(bytes, 0);
  if (isMapped(bytes)) return dotted(bytes, 12);
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  return new URL(`http://[${groups.map((it) => it.toString(16)).join(":")}]`).hostname.slice(1, -1);
}

/** Whether 16 bytes are one of ::ffff:0:0/96, which stands for an IPv4 address. */
export function isMapped(bytes: ArrayLike<number>): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

function dotted(bytes: ArrayLike<number>, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}
