/// <reference lib="deno.worker" />

/** A worker that confines itself by one of the two means, or both, and then tries what should be refused. */

import type { Reach } from "../../../lib/engine/confinement.ts";
import { confine } from "../../../lib/engine/epoll/confine/confine.ts";
import { type Libc, openLibc } from "../../../lib/engine/epoll/libc.ts";
import { encodeAddress } from "../../../lib/engine/epoll/sockaddr.ts";
import { AF_UNIX, SOCK_STREAM } from "../../../lib/engine/epoll/linux.ts";
import { nameOf } from "../../../lib/engine/epoll/errno.ts";
import { type Ports, prepareAttempts } from "./foreign_attempts.ts";

export interface Order {
  readonly reach: Reach;
  /** What the kernel is said not to have. */
  readonly without: "landlock" | "seccomp" | undefined;
  readonly ports: Ports;
  /** A Unix socket to dial. */
  readonly path: string;
}

const ENOSYS = 38;

/** A C library on a kernel that lacks a part. */
function lacking(libc: Libc, part: Order["without"]): Libc {
  const refuse = { errno: () => ENOSYS };
  if (part === "landlock") return { ...libc, ...refuse, landlock_create_ruleset: () => -1 };
  return part === "seccomp" ? { ...libc, ...refuse, prctl_buffer: () => -1 } : libc;
}

self.addEventListener("message", ({ data }: MessageEvent<Order>) => {
  const { reach, without, ports, path } = data;
  const attempts = prepareAttempts(ports);
  const libc = openLibc();
  const confinement = confine(lacking(libc, without), reach);
  const { bytes } = encodeAddress({ transport: "unix", path });
  const fd = libc.socket(AF_UNIX, SOCK_STREAM, 0);
  const isDialled = fd >= 0 && libc.connect(fd, bytes, bytes.length) === 0;
  const errno = isDialled ? 0 : libc.errno();
  if (fd >= 0) libc.close(fd);
  self.postMessage({
    confinement,
    outcomes: { ...attempts(), "connect to a path": isDialled ? "allowed" : nameOf(errno) },
  });
});
