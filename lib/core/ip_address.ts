import { isIPv4, isIPv6 } from "./is_ip.ts";
import { InputError } from "./errors.ts";
import { isLinkLocal } from "./zone.ts";

/** All addresses of this machine (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2), which is none in particular. */
const ANY = /^(0\.0\.0\.0|[0:]+)$/;

/** Those that many machines have, or none (RFC 5771; RFC 1112, 4; RFC 4291, 2.7). */
const MULTICAST_OR_RESERVED = /^(?:22[4-9]|2[3-5]\d)\.|^ff[0-9a-f]{2}:/i;

/** Reads one address of this machine, without a port; throws an {@linkcode InputError} that says what to write. */
export function parseIPAddress(text: string): string {
  const quoted = JSON.stringify(text);
  if (!isIPv4(text) && (!isIPv6(text) || text.includes("%"))) {
    throw new InputError(
      `${quoted} is not an IP address; write it as 10.0.0.5 or 2001:db8::5, without a port`,
    );
  }
  if (ANY.test(text)) {
    throw new InputError(`${quoted} is no address in particular; write one of this machine`);
  }
  if (MULTICAST_OR_RESERVED.test(text)) {
    throw new InputError(`${quoted} is a multicast or reserved address; write one of this machine`);
  }
  if (isLinkLocal(text)) {
    throw new InputError(`${quoted} is a link-local address, which cannot stand here; write another one`);
  }
  return text;
}
