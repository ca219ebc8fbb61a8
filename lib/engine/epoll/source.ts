/** The local address of a dial. */

import { nameOf, SystemError } from "./errno.ts";
import type { Libc } from "./libc.ts";
import { IP_BIND_ADDRESS_NO_PORT, IPPROTO_IP, SOCK_CLOEXEC, SOCK_STREAM } from "./linux.ts";
import { setOption } from "./options.ts";
import { encodeAddress, type SocketAddress } from "./sockaddr.ts";

/** This machine has not the address that it is to dial from, at least not now. */
export class SourceMissing extends Error {
  override readonly name = "SourceMissing";
  /** Our own, since the system tells of it as of a lack of ports. */
  readonly code = "ESOURCE";
}

/**
 * Binds a socket before it is connected. The port is chosen when it is: then one port serves several peers (ip(7)).
 *
 * @param host An IP address of the socket's family; undefined leaves it to the system.
 * @throws {SourceMissing} when it is no address of this machine; {SystemError}.
 */
export function bindTo(libc: Pick<Libc, "bind" | "errno" | "setsockopt">, fd: number, host?: string): void {
  if (host === undefined) return;
  setOption(libc, fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  const { bytes } = encoded(host);
  if (libc.bind(fd, bytes, bytes.length) === 0) return;
  const error = new SystemError(libc.errno());
  throw error.code === "EADDRNOTAVAIL" ? new SourceMissing(`no address ${host}`) : error;
}

/** Whether a dial can have this IP address now; undefined when that cannot be found out. */
export function hasAddress(
  libc: Pick<Libc, "socket" | "bind" | "errno" | "close">,
  host: string,
): boolean | undefined {
  const { family, bytes } = encoded(host);
  const fd = libc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  const isBound = libc.bind(fd, bytes, bytes.length) === 0;
  const isMissing = !isBound && nameOf(libc.errno()) === "EADDRNOTAVAIL";
  libc.close(fd);
  return isBound ? true : isMissing ? false : undefined;
}

/** A few, used again and again. */
const known = new Map<string, SocketAddress>();

function encoded(host: string): SocketAddress {
  const before = known.get(host);
  if (before !== undefined) return before;
  const made = encodeAddress({ transport: "tcp", host, port: 0 });
  known.set(host, made);
  return made;
}
