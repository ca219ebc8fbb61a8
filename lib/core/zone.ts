/**
 * Zones of IPv6 addresses (RFC 4007, 11): a link-local address is the same on every link, so it needs the interface that
 * it belongs to, as `fe80::1%eth0`.
 */

import { isIPv6 } from "./is_ip.ts";
import { InputError } from "./errors.ts";

/** The name of an interface has at most 15 characters on Linux (IFNAMSIZ), none of them a space or a slash. */
const ZONE = /^[^\s%/\[\]]{1,15}$/;

/** fe80::/10 (RFC 4291, 2.5.6). */
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/i;

/** Whether this is an IPv6 address of one link. */
export function isLinkLocal(ip: string): boolean {
  return LINK_LOCAL.test(ip);
}

/**
 * Checks what stands in the brackets of an address: an IPv6 address, with its zone if it is link-local.
 *
 * @param text The whole address as it was written, for the message.
 * @throws {InputError} that says what to write.
 */
export function parseIPv6Host(host: string, text: string): string {
  const ip = withoutZone(host);
  const zone = zoneOf(host);
  if (!isIPv6(ip)) throw new InputError(`${quote(text)}: what stands in brackets is not an IPv6 address`);
  const [port] = /:?\d*$/.exec(text) ?? [""];
  if (LINK_LOCAL.test(ip)) {
    if (zone !== undefined && ZONE.test(zone)) return host;
    const wanted = `[${ip}%eth0]${port}`;
    throw new InputError(
      zone === undefined
        ? `${quote(text)}: a link-local address needs its network interface; write it as ${wanted}`
        : `${quote(text)}: ${quote(zone)} is not a network interface; write it as ${wanted}`,
    );
  }
  if (zone === undefined) return host;
  throw new InputError(
    `${quote(text)}: only a link-local address (fe80::…) has a network interface; write [${ip}]${port}`,
  );
}

/** The address alone. What is no IPv6 address with a zone stays as it is. */
export function withoutZone(host: string): string {
  const at = host.indexOf("%");
  return at === -1 ? host : host.slice(0, at);
}

/** The name or the number of the interface; undefined for an address without one. */
export function zoneOf(host: string): string | undefined {
  const at = host.indexOf("%");
  return at === -1 ? undefined : host.slice(at + 1);
}

/** Whether the system says of an address with a zone that it knows no such interface: by name, or by number (ENODEV). */
export function isMissingInterface(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message.startsWith("failed to lookup address") || error.message.startsWith("No such device");
}

function quote(text: string): string {
  return JSON.stringify(text);
}
