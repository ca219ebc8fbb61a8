/** An end of a connection in two fields, since thousands are kept and few are looked at. */

import type { Endpoint } from "../../core/endpoint.ts";
import { AF_INET, AF_INET6 } from "./linux.ts";
import { decodeEndpoint, SOCKADDR_MAX_BYTES } from "./sockaddr.ts";

/** An IPv4 address as the number that its bytes make; another one as the system gave it; undefined for a Unix socket. */
export type EndpointCell = number | Uint8Array<ArrayBuffer> | undefined;

/** What calls put an address into: read it before the next call. */
export const addressBytes: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(SOCKADDR_MAX_BYTES + 2));
const words = new Int32Array(addressBytes.buffer, 0, 2);

/** In and out: how many bytes there are for it, and how many it takes. */
export const addressLength: Int32Array<ArrayBuffer> = new Int32Array(1);

/** The address part of what a call has put into {@linkcode addressBytes}. */
export function hostCell(): EndpointCell {
  const family = addressBytes[0];
  if (family === AF_INET) return words[1];
  return family === AF_INET6 ? addressBytes.slice(0, 28) : undefined;
}

/** The port of it. */
export function portCell(): number {
  return ((addressBytes[2] ?? 0) << 8) | (addressBytes[3] ?? 0);
}

export function endpointOf(host: EndpointCell, port: number): Endpoint {
  if (host === undefined) return { transport: "unix" };
  if (typeof host !== "number") return decodeEndpoint(host);
  const bytes = [host & 0xff, (host >> 8) & 0xff, (host >> 16) & 0xff, (host >> 24) & 0xff];
  return { transport: "tcp", host: bytes.join("."), port };
}
