/**
 * Whether a text is an IP address. Pure.
 *
 * As `node:net` has it, without loading it: that costs each worker 20 ms and 4 MB, for two functions.
 */

const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^(?:${OCTET}\\.){3}${OCTET}$`);

/** Its letters, and a zone behind them (RFC 4007, 11.2). */
const IPV6_LIKE = /^([0-9a-f:.]+)(?:%[0-9a-z.:-]+)?$/i;

/** Four numbers of 0 to 255, none with a leading zero. */
export function isIPv4(text: string): boolean {
  return IPV4.test(text);
}

/** In any of the forms of RFC 4291, 2.2, with a zone or without. */
export function isIPv6(text: string): boolean {
  const [, address] = IPV6_LIKE.exec(text) ?? [];
  // URLs have the same forms between brackets.
  return address !== undefined && URL.canParse(`http://[${address}]`);
}

/** In either family. */
export function isIP(text: string): boolean {
  return isIPv4(text) || isIPv6(text);
}
