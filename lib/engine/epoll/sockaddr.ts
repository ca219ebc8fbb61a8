/** Addresses as the system has them (struct sockaddr_in, sockaddr_in6, sockaddr_un: ip(7), ipv6(7), unix(7)). Pure. */

import { type Address, UNIX_PATH_MAX_BYTES } from "../../core/address.ts";
import type { Endpoint } from "../../core/endpoint.ts";
import { ipText, ipv6Bytes } from "../../core/ip_bytes.ts";
import { withoutZone } from "../../core/zone.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "./linux.ts";

/** The largest of the three. */
export const SOCKADDR_MAX_BYTES: number = 2 + UNIX_PATH_MAX_BYTES + 1;

export interface SocketAddress {
  readonly family: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * @param address Its host is an IP address; empty means all addresses of IPv6.
 * @param zone The number of the network interface of a link-local address.
 */
export function encodeAddress(address: Address, zone = 0): SocketAddress {
  if (address.transport === "unix") return encodePath(address.path);
  const { host, port } = address;
  if (host !== "" && !host.includes(":")) {
    const bytes = new Uint8Array(16);
    start(bytes, AF_INET, port);
    bytes.set(host.split(".").map(Number), 4);
    return { family: AF_INET, bytes };
  }
  const bytes = new Uint8Array(28);
  start(bytes, AF_INET6, port);
  if (host !== "") bytes.set(ipv6Bytes(withoutZone(host)), 8);
  new DataView(bytes.buffer).setUint32(24, zone, true);
  return { family: AF_INET6, bytes };
}

/** What the system says of one end. An IPv4-mapped address (RFC 4291, 2.5.5.2) is given as the IPv4 address that it is. */
export function decodeEndpoint(bytes: Uint8Array<ArrayBuffer>): Endpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const family = view.getUint16(0, true);
  if (family !== AF_INET && family !== AF_INET6) return { transport: "unix" };
  const port = view.getUint16(2);
  const host = ipText(family === AF_INET ? bytes.subarray(4, 8) : bytes.subarray(8, 24));
  return { transport: "tcp", host, port };
}

function start(bytes: Uint8Array<ArrayBuffer>, family: number, port: number): void {
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port);
}

function encodePath(path: string): SocketAddress {
  const text = new TextEncoder().encode(path);
  const bytes = new Uint8Array(2 + text.length + 1);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(text, 2);
  return { family: AF_UNIX, bytes };
}
