/**
 * What our parsers accept, as regular expressions for the JSON Schema: an editor marks the same values that a check refuses.
 *
 * A pattern knows nothing of sums and sizes: that a duration is at most 596h, or a path at most 103 bytes, is left to the
 * check.
 */

import { TO_DIAL, TO_LISTEN_ON } from "../core/address.ts";

/** As {@linkcode parseDurationMs}. */
export const DURATION_PATTERN = "^(?=\\d)(?:\\d+h)?(?:\\d+m(?!s))?(?:\\d+s)?(?:\\d+ms)?$";

/** As {@linkcode parseSize}, which alone knows how much is too large. */
export const SIZE_PATTERN = "^\\d{1,7}[KMG]iB$";

/** Up to 65535, with zeros in front as long as there are five digits at most. */
const PORT = "(?:\\d{1,4}|[0-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])";

const IPV4_PART = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = `(?:${IPV4_PART}\\.){3}${IPV4_PART}`;

/** Eight groups of four hexadecimal digits, of which any run may be `::` and the last two an IPv4 address. */
const GROUP = "[0-9a-fA-F]{1,4}";
const IPV6 = "(?:" + [
  `(?:${GROUP}:){7}(?:${GROUP}|:)`,
  ...[6, 5, 4, 3, 2, 1, 0].map((before) => {
    const groups = before === 0 ? ":" : `(?:${GROUP}:){${before}}`;
    const most = 7 - before;
    const v4 = most === 1 ? IPV4 : `(?::${GROUP}){0,${most - 2}}:${IPV4}`;
    return `${groups}(?:${v4}|(?::${GROUP}){1,${most}}|:)`;
  }),
].join("|") + ")";

/** A link-local address needs its network interface, and no other one may have one. */
const LINK_LOCAL = "[fF][eE][89abAB][0-9a-fA-F]:";
const BRACKETED = `\\[(?:(?=${LINK_LOCAL})${IPV6}%[^\\s%\\/\\[\\]]{1,15}|(?!${LINK_LOCAL})${IPV6})\\]`;

const LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_\\-]{0,61}[A-Za-z0-9_])?";

/** At most 253 characters; the last label is no number, which some resolvers would read as an address. */
const NAME = `(?=[^:]{1,253}:)(?!(?:[^:]*\\.)?(?:\\d+|0[xX][0-9a-fA-F]*)\\.?:)${LABEL}(?:\\.${LABEL})*\\.?`;

const HOST = `(?:${BRACKETED}|${IPV4}|${NAME})`;

/** At most so many bytes, of which a UTF-16 unit has at least one. */
function unix(maxBytes: number): string {
  return `unix:(?!@)[^\\0]{0,${maxBytes - 1}}[^\\0\\/]`;
}

const STREAM_LISTEN = `${unix(TO_LISTEN_ON.maxBytes)}|(?!u(?:dp|nix):)${HOST}?:${PORT}`;

/** As {@linkcode parseStreamListenAddress}. */
export const STREAM_LISTEN_PATTERN = `^(?:${STREAM_LISTEN})$`;

/** As {@linkcode parseListenAddress}. */
export const LISTEN_PATTERN = `^(?:${STREAM_LISTEN}|udp:${HOST}?:${PORT})$`;

/** As {@linkcode parseDialAddress}. */
export const DIAL_PATTERN = `^(?:${unix(TO_DIAL.maxBytes)}|(?!u(?:dp|nix):)${HOST}:(?!0+$)${PORT})$`;

/** Multicast, and what is reserved beyond it. */
const MULTICAST = "(?:22[4-9]|2[3-5]\\d)\\.|[fF]{2}[0-9a-fA-F]{2}:";

/** As {@linkcode parseIPAddress}. */
export const IP_PATTERN = `^(?!0\\.0\\.0\\.0$|[0:]+$|${LINK_LOCAL}|${MULTICAST})(?:${IPV4}|${IPV6})$`;

/** As {@linkcode parseSubnet}, which alone knows whether it begins at its first address. */
export const SUBNET_PATTERN = `^${IPV4}/(?:3[0-2]|[12]?\\d)(?::(?!0+$)${PORT})?$`;

/** As {@linkcode parseIPRange}, which alone knows whether it begins at its first address and is no IPv4 written as IPv6. */
export const IP_RANGE_PATTERN =
  `^(?:${IPV4}(?:/(?:3[0-2]|[12]?\\d))?|${IPV6}(?:/(?:12[0-8]|1[01]\\d|[1-9]?\\d))?)$`;

/** At most 253 characters, and no IPv4 address. */
function serverNamePattern(prefix: string): string {
  const label = "[A-Za-z\\d_\\-]{1,63}";
  return `^(?!${IPV4}$)${prefix}(?=.{1,253}\\.?$)${label}(?:\\.${label})*\\.?$`;
}

/** As {@linkcode canonicalServerName}. */
export const SERVER_NAME_PATTERN = serverNamePattern("");

/** As {@linkcode whyNoServerNamePattern}. */
export const SERVER_NAMES_PATTERN = serverNamePattern("(?:\\*\\.)?");

/** A name of ALPN, as far as it is printable. A backslash would match no client, since it begins what is shown of other bytes. */
export const PROTOCOL_PATTERN = "^[\\x21-\\x5b\\x5d-\\x7e]{1,255}$";

/** The mode of a file, in octal. */
export const MODE_PATTERN = "^0?[0-7]{3}$";

/** A range of HTTP statuses, as `200-399`. */
export const STATUS_RANGE_PATTERN = "^[1-5]\\d{2}-[1-5]\\d{2}$";
