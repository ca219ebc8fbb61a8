/** Options of sockets (socket(7), tcp(7)). */

import type { Keepalive } from "../contract.ts";
import type { Libc } from "./libc.ts";
import {
  IPPROTO_TCP,
  SIOCOUTQ,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
} from "./linux.ts";

const value = new Int32Array(1);
const two = new Int32Array(2);
const length = new Int32Array(1);

export function setOption(
  libc: Pick<Libc, "setsockopt">,
  fd: number,
  level: number,
  name: number,
  to: number,
): boolean {
  value[0] = to;
  return libc.setsockopt(fd, level, name, value, 4) === 0;
}

/** Turns off Nagle's algorithm (RFC 896), which holds back a small segment until the one before it is acknowledged. */
export function sendAtOnce(libc: Pick<Libc, "setsockopt">, fd: number): void {
  setOption(libc, fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/**
 * Asks for signs of life. Data that the peer does not acknowledge ends the connection after as long as a silent peer does: the probes
 * do not run while data waits (RFC 5482). Sockets that are accepted have the options of the one that listens.
 */
export function keepAlive(
  libc: Pick<Libc, "setsockopt">,
  fd: number,
  { idleMs, intervalMs, count }: Keepalive,
): void {
  setOption(libc, fd, SOL_SOCKET, SO_KEEPALIVE, Number(idleMs > 0));
  if (idleMs === 0) return void setOption(libc, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
  // A Unix socket has none of these.
  if (!setOption(libc, fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(idleMs))) return;
  setOption(libc, fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(intervalMs));
  setOption(libc, fd, IPPROTO_TCP, TCP_KEEPCNT, count);
  setOption(libc, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, idleMs + intervalMs * count);
}

/** Makes closing send a reset: what waits to be sent is dropped. */
export function resetOnClose(libc: Pick<Libc, "setsockopt">, fd: number): void {
  two[0] = 1;
  two[1] = 0;
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, two, 8);
}

/** The number of the error that a socket is in; reading it clears it. */
export function takeError(libc: Pick<Libc, "getsockopt">, fd: number): number {
  length[0] = 4;
  value[0] = 0;
  libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length);
  return value[0] ?? 0;
}

/** Bytes that were sent and that the peer's system has not acknowledged; of a Unix socket, that the peer has not read. */
export function unacknowledgedBytes(libc: Pick<Libc, "ioctl">, fd: number): number {
  value[0] = 0;
  return libc.ioctl(fd, SIOCOUTQ, value) === 0 ? value[0] ?? 0 : 0;
}

function seconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1000));
}
