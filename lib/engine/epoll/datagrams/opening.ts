/** Sockets that receive the datagrams of a listener, one a thread. The system gives each client to one of them (SO_REUSEPORT, socket(7)). */

import type { UdpAddress } from "../../../core/address.ts";
import { SystemError } from "../errno.ts";
import type { Libc } from "../libc.ts";
import {
  AF_INET6,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVPKTINFO,
  SO_RCVBUF,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from "../linux.ts";
import { setOption } from "../options.ts";
import { encodeAddress, type SocketAddress } from "../sockaddr.ts";
import { zoneIndex } from "../zone_index.ts";

/** What is asked for; the system may give less (net.core.rmem_max). Bursts wait here while a thread does other things. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/**
 * Binds one; the caller closes the descriptor.
 *
 * @param isFirst Whether this process has no other at the address: then no other program may have one either.
 * @throws {SystemError}
 */
export function openDatagrams(libc: Libc, address: UdpAddress, isFirst: boolean): number {
  const encoded = encodeAddress(address, zoneIndex(libc, address));
  // Sockets that share an address do not keep any other program of this user from sharing it too.
  if (isFirst) libc.close(bound(libc, encoded, false));
  return bound(libc, encoded, true);
}

function bound(libc: Libc, { family, bytes }: SocketAddress, isShared: boolean): number {
  const fd = libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SystemError(libc.errno());
  if (isShared) setOption(libc, fd, SOL_SOCKET, SO_REUSEPORT, 1);
  setReceiving(libc, fd, { family, bytes });
  if (libc.bind(fd, bytes, bytes.length) === 0) return fd;
  const error = new SystemError(libc.errno());
  libc.close(fd);
  throw error;
}

/** For a socket that was bound by another program: more may be bound beside it, and it receives as they do. */
export function makeShareable(libc: Libc, fd: number, address: UdpAddress): void {
  setOption(libc, fd, SOL_SOCKET, SO_REUSEPORT, 1);
  setReceiving(libc, fd, encodeAddress(address, zoneIndex(libc, address)));
}

function setReceiving(libc: Libc, fd: number, { family, bytes }: SocketAddress): void {
  setOption(libc, fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
  if (!isAll(bytes)) return;
  if (family === AF_INET6) setOption(libc, fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  else setOption(libc, fd, IPPROTO_IP, IP_PKTINFO, 1);
}

/** Whether it is the address that stands for all: the answers then have to leave from the one that was asked. */
function isAll(bytes: Uint8Array): boolean {
  return bytes.subarray(4).every((byte) => byte === 0);
}
