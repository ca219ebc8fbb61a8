/**
 * Ranges of IP addresses as people write them (RFC 4632; RFC 4291, 2.3): `10.0.0.0/8`, `2001:db8::/32`, or one address.
 *
 * IPv4 that is mapped into IPv6 (RFC 4291, 2.5.5.2) is IPv4: an address so written is in the ranges of IPv4, and a range is to be
 * written as IPv4, since `::ffff:10.0.0.0/8` would have every address in it.
 */

import { InputError } from "./errors.ts";
import { ipBytes, ipText, isMapped } from "./ip_bytes.ts";

/** All addresses of one family with the same leading bits. */
export interface IPRange {
  /** Its first address: IPv4, or IPv6 in its shortest form. */
  readonly network: string;
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly prefixBits: number;
}

const FORM = "write it as 10.0.0.0/8 or 2001:db8::/32, or one address";

/** What means every address elsewhere. */
const EVERY_ADDRESS: readonly string[] = ["all", "any", "everyone", "everybody", "world", "*", "*.*.*.*"];

/** Reads a range; throws an {@linkcode InputError} that says what to write. */
export function parseIPRange(text: string): IPRange {
  const quoted = JSON.stringify(text);
  const [, host = "", digits] = /^([^/%]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const bytes = ipBytes(host);
  if (bytes === undefined) {
    const wanted = EVERY_ADDRESS.includes(text.toLowerCase()) ? 'for all write 0.0.0.0/0 and "::/0"' : FORM;
    throw new InputError(`${quoted} is not a range of IP addresses; ${wanted}`);
  }
  const most = 8 * bytes.length;
  const prefixBits = digits === undefined ? most : Number(digits);
  if (prefixBits > most || (digits !== undefined && String(prefixBits) !== digits)) {
    throw new InputError(`${quoted}: "${digits}" is no number of bits; write 0 to ${most}`);
  }
  if (bytes.length === 16 && isMapped(bytes)) {
    // Such a prefix is counted from the beginning of the IPv6 address, or meant for IPv4.
    const meant = prefixBits >= 96 ? prefixBits - 96 : Math.min(prefixBits, 32);
    const range = formatIPRange(rangeOf(bytes.slice(12), meant));
    throw new InputError(`${quoted} is IPv4 written as IPv6; write ${range}`);
  }
  const range = rangeOf(bytes, prefixBits);
  if (range.network === ipText(bytes)) return range;
  throw new InputError(
    `${quoted} does not begin at its first address; write ${formatIPRange(range)}, ` +
      `or ${ipText(bytes)} for one address`,
  );
}

/** The range as {@linkcode parseIPRange} reads it, always with its bits. */
export function formatIPRange({ network, prefixBits }: IPRange): string {
  return `${network}/${prefixBits}`;
}

function rangeOf(bytes: readonly number[], prefixBits: number): IPRange {
  return { network: ipText(firstOf(bytes, prefixBits)), prefixBits };
}

/** The same address with nothing but zeros behind its leading bits. */
function firstOf(bytes: readonly number[], prefixBits: number): number[] {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.max(0, Math.min(8, prefixBits - 8 * i))) & 0xff);
}
