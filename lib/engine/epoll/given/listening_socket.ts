/** Listening sockets that the process did not open: what they are, and how they are made fit for use. */

import type { Address } from "../../../core/address.ts";
import { ipText } from "../../../core/ip_bytes.ts";
import { makeShareable } from "../datagrams/opening.ts";
import type { Libc } from "../libc.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_NONBLOCK,
  SO_ACCEPTCONN,
  SO_TYPE,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../linux.ts";
import { sendAtOnce } from "../options.ts";
import { SOCKADDR_MAX_BYTES } from "../sockaddr.ts";

/** What a descriptor listens on; undefined when it is no socket that a balancer can listen with. */
export function listensOn(libc: Libc, fd: number): Address | undefined {
  const type = optionOf(libc, fd, SO_TYPE);
  if (type === SOCK_STREAM ? optionOf(libc, fd, SO_ACCEPTCONN) !== 1 : type !== SOCK_DGRAM) return undefined;
  const bytes = new Uint8Array(SOCKADDR_MAX_BYTES);
  const length = new Int32Array([bytes.length]);
  if (libc.getsockname(fd, bytes, length) < 0) return undefined;
  const view = new DataView(bytes.buffer);
  const family = view.getUint16(0, true);
  if (family === AF_UNIX) return type === SOCK_STREAM ? atPath(bytes.subarray(2, length[0])) : undefined;
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const transport = type === SOCK_STREAM ? "tcp" : "udp";
  return { transport, host: hostOf(bytes, view, family), port: view.getUint16(2) };
}

/** A link-local address has its interface by number; the configuration may write it by name. */
function hostOf(bytes: Uint8Array<ArrayBuffer>, view: DataView, family: number): string {
  const host = ipText(family === AF_INET ? bytes.subarray(4, 8) : bytes.subarray(8, 24));
  const zone = family === AF_INET6 ? view.getUint32(24, true) : 0;
  return zone === 0 ? host : `${host}%${zone}`;
}

/** Undefined for an abstract address, which begins with a zero, and for none. */
function atPath(bytes: Uint8Array): Address | undefined {
  const end = bytes.indexOf(0);
  const path = new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
  return path === "" ? undefined : { transport: "unix", path };
}

/** Makes a socket what one that is opened here would be. */
export function makeFit(libc: Libc, fd: number, address: Address, backlog: number): void {
  libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
  libc.fcntl(fd, F_SETFL, libc.fcntl(fd, F_GETFL, 0) | O_NONBLOCK);
  if (address.transport === "udp") return makeShareable(libc, fd, address);
  if (address.transport === "tcp") sendAtOnce(libc, fd);
  // Of a socket that listens already it changes the backlog alone.
  libc.listen(fd, backlog);
}

function optionOf(libc: Libc, fd: number, name: number): number | undefined {
  const value = new Int32Array(1);
  return libc.getsockopt(fd, SOL_SOCKET, name, value, new Int32Array([4])) < 0 ? undefined : value[0];
}
