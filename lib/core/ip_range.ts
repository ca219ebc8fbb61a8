/**
 * Ranges of IP addresses as people write them (RFC 4632; RFC 4291, 2.3): `10.0.0.0/8`, `2001:db8::/32`, or one address.
 *
 * IPv4 that is mapped into IPv6 (RFC 4291, 2.5.5.2) is IPv4: an address so written is in the ranges of IPv4, and a range is to be
 * written as IPv4, since `::ffff:10.0.0.0/8` would have every address in it.
 */

import { isIPv4, isIPv6 } from "node:net";
import { InputError } from "./errors.ts";
import { canonicalHost } from "./overlap.ts";
import { withoutZone } from "./zone.ts";

/** All addresses of one family with the same leading bits. */
export interface IPRange {
  /** Its first address: IPv4, or IPv6 in its shortest form. */
  readonly network: string;
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly prefixBits: number;
}

const FORM = "write it as 10.0.0.0/8 or 2001:db8::/32, or one address";

/** Reads a range; throws an {@linkcode InputError} that says what to write. */
export function parseIPRange(text: string): IPRange {
  const quoted = JSON.stringify(text);
  const [, host = "", digits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const isV6 = isIPv6(host);
  if (!isIPv4(host) && (!isV6 || host.includes("%"))) {
    throw new InputError(`${quoted} is not a range of IP addresses; ${FORM}`);
  }
  const most = isV6 ? 128 : 32;
  const prefixBits = digits === undefined ? most : Number(digits);
  if (prefixBits > most || (digits !== undefined && String(prefixBits) !== digits)) {
    throw new InputError(`${quoted}: ${quote(digits)} is no number of bits; write 0 to ${most}`);
  }
  const bytes = bytesOf(host);
  if (isV6 && bytes.length === 4) {
    // Such a prefix is counted from the beginning of the IPv6 address, or meant for IPv4.
    const meant = prefixBits >= 96 ? prefixBits - 96 : Math.min(prefixBits, 32);
    const range = formatIPRange({ network: textOf(firstOf(bytes, meant)), prefixBits: meant });
    throw new InputError(`${quoted} is IPv4 written as IPv6; write ${range}`);
  }
  const first = firstOf(bytes, prefixBits);
  const range = { network: textOf(first), prefixBits };
  if (first.every((byte, i) => byte === bytes[i])) return range;
  throw new InputError(
    `${quoted} does not begin at its first address; write ${formatIPRange(range)}` +
      `, or ${textOf(bytes)} for one address`,
  );
}

/** The range as {@linkcode parseIPRange} reads it, always with its bits. */
export function formatIPRange({ network, prefixBits }: IPRange): string {
  return `${network}/${prefixBits}`;
}

/**
 * Tells whether an address is in one of some ranges: an IP address in any form, also mapped into IPv6 and with a zone. What is no IP
 * address is in none.
 */
export function ipMatcher(ranges: readonly IPRange[]): (ip: string) => boolean {
  const known = ranges.map(({ network, prefixBits }) => ({ network: bytesOf(network), prefixBits }));
  return (ip) => {
    const bare = withoutZone(ip);
    if (!isIPv4(bare) && !isIPv6(bare)) return false;
    const bytes = bytesOf(bare);
    return known.some(({ network, prefixBits }) => {
      if (network.length !== bytes.length) return false;
      return firstOf(bytes, prefixBits).every((byte, i) => byte === network[i]);
    });
  };
}

/** 4 bytes for IPv4, mapped into IPv6 or not; 16 for other IPv6. */
function bytesOf(ip: string): readonly number[] {
  const host = canonicalHost(ip);
  if (isIPv4(host)) return host.split(".").map(Number);
  const [head = [], tail = []] = host.split("::").map((part) => part === "" ? [] : part.split(":"));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  return [...head, ...zeros, ...tail].flatMap((group) => {
    const number = parseInt(group, 16);
    return [number >> 8, number & 255];
  });
}

function textOf(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => {
    return (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16);
  });
  return canonicalHost(groups.join(":"));
}

/** The same address with nothing but zeros behind its leading bits. */
function firstOf(bytes: readonly number[], prefixBits: number): number[] {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.max(0, Math.min(8, prefixBits - 8 * i))) & 0xff);
}

function quote(text: string | undefined): string {
  return JSON.stringify(text ?? "");
}
