/**
 * Sends every datagram back, with as few system calls as there can be.
 *
 *   deno run --allow-ffi bench/udp_echo.ts PORT
 */

import { makeBuffers, Messages } from "../lib/engine/epoll/datagrams/messages.ts";
import { SystemError } from "../lib/engine/epoll/errno.ts";
import { openLibc } from "../lib/engine/epoll/libc.ts";
import {
  AF_INET,
  SO_RCVBUF,
  SOCK_DGRAM,
  SOL_SOCKET,
  SYS_RECVMMSG,
  SYS_SENDMMSG,
} from "../lib/engine/epoll/linux.ts";
import { setOption } from "../lib/engine/epoll/options.ts";
import { encodeAddress } from "../lib/engine/epoll/sockaddr.ts";

/** Waits for one datagram, and takes those that are there by then (recvmmsg(2)). */
const MSG_WAITFORONE = 0x10000;

const BATCH = 32;

const libc = openLibc();
const fd = libc.socket(AF_INET, SOCK_DGRAM, 0);
setOption(libc, fd, SOL_SOCKET, SO_RCVBUF, 4 * 1024 * 1024);
const { bytes } = encodeAddress({ transport: "udp", host: "127.0.0.1", port: Number(Deno.args[0]) });
if (libc.bind(fd, bytes, bytes.length) < 0) throw new SystemError(libc.errno());

const buffers = makeBuffers();
const messages = new Messages(libc, buffers, true);
const first = messages.from[0] as Uint8Array<ArrayBuffer>;
const bufferBytes = buffers[0]?.length ?? 0;

for (;;) {
  const count = libc.recvmmsg(SYS_RECVMMSG, fd, first, BATCH, MSG_WAITFORONE, null);
  if (count < 0) continue;
  for (let i = 0; i < count; i++) messages.setLength(i, messages.received(i));
  libc.sendmmsg(SYS_SENDMMSG, fd, first, count, 0);
  for (let i = 0; i < count; i++) messages.setLength(i, bufferBytes);
  messages.rearm(count);
}
