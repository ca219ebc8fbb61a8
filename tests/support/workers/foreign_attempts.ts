/** What somebody who runs code in a worker might try, each as a call of the system by a foreign function. */

import { nameOf } from "../../../lib/engine/epoll/errno.ts";
import { LIBC_PATHS } from "../../../lib/engine/epoll/libc.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from "../../../lib/engine/epoll/linux.ts";
import { encodeAddress } from "../../../lib/engine/epoll/sockaddr.ts";

const SYMBOLS = {
  bind: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  execv: { parameters: ["buffer", "buffer"], result: "i32" },
  kill: { parameters: ["i32", "i32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  mount: { parameters: ["buffer", "buffer", "buffer", "usize", "buffer"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  openat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  syscall: { parameters: ["usize", "usize", "usize", "usize", "usize", "usize", "usize"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
  memcpy: { parameters: ["buffer", "pointer", "usize"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const IPPROTO_ICMP = 1;
const IPPROTO_MPTCP = 262;
const IPPROTO_UDPLITE = 136;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const MSG_FASTOPEN = 0x20000000;
const AT_FDCWD = -100;
const CLONE_NEWUSER = 0x10000000n;
const PTRACE_ATTACH = 16n;
const SIGCHLD = 17n;

/** Without a function of their own in every C library: on x86-64, and on arm64. */
const CALLS: Readonly<Record<string, readonly [x86: bigint, arm: bigint, argument: bigint]>> = {
  openat2: [437n, 437n, 0n],
  fork: [56n, 220n, SIGCHLD],
  execveat: [322n, 281n, 0n],
  unshare: [272n, 97n, CLONE_NEWUSER],
  setns: [308n, 268n, 0n],
  ptrace: [101n, 117n, PTRACE_ATTACH],
  process_vm_readv: [310n, 270n, 1n],
  pidfd_open: [434n, 434n, 1n],
  bpf: [321n, 280n, 0n],
  io_uring_setup: [425n, 425n, 1n],
  keyctl: [250n, 219n, 0n],
  memfd_create: [319n, 279n, 0n],
};

/** What to try with, and what to leave alone. */
export interface Ports {
  /** A port that may be dialled. */
  readonly permitted: number;
  /** One that may not. */
  readonly other: number;
  /** Leaves out what would do harm where it is not refused, as a fork in the midst of threads. */
  readonly isHarmless?: boolean;
}

const HARMFUL = ["fork", "unshare"];

/** Opens the library, which a confined thread cannot; the result tries everything, and gives what came of each. */
export function prepareAttempts(
  { permitted, other, isHarmless = false }: Ports,
): () => Record<string, string> {
  const libc = openLibc();
  const location = libc.__errno_location();
  const number = new Int32Array(1);
  const outcome = (result: number): string => {
    libc.memcpy(number, location, 4n);
    return result >= 0 ? "allowed" : nameOf(number[0] ?? 0);
  };
  const path = new TextEncoder().encode("/etc/passwd\0");
  const program = new TextEncoder().encode("/bin/true\0");
  const at = (port: number, host = "127.0.0.1"): Uint8Array<ArrayBuffer> => {
    return encodeAddress({ transport: "tcp", host, port }).bytes;
  };
  const withSocket = (use: (fd: number) => number, type = SOCK_STREAM): string => {
    const fd = libc.socket(AF_INET, type | SOCK_CLOEXEC, 0);
    const result = outcome(fd < 0 ? fd : use(fd));
    if (fd >= 0) libc.close(fd);
    return result;
  };
  const makesSocket = (family: number, type: number, protocol = 0): string => {
    const fd = libc.socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    const result = outcome(fd);
    if (fd >= 0) libc.close(fd);
    return result;
  };
  const column = Deno.build.arch === "x86_64" ? 0 : 1;
  return () => ({
    open: outcome(libc.open(path, 0)),
    openat: outcome(libc.openat(AT_FDCWD, path, 0)),
    unlink: outcome(libc.unlink(new TextEncoder().encode("/tmp/sockbal-no-such-file\0"))),
    execv: outcome(libc.execv(program, new Uint8Array(8))),
    kill: outcome(libc.kill(1, 0)),
    ...(isHarmless ? {} : { mount: outcome(libc.mount(null, path, null, 0n, null)) }),
    ...Object.fromEntries(
      Object.entries(CALLS).filter(([name]) => !isHarmless || !HARMFUL.includes(name)).map(([name, call]) => {
        return [name, outcome(libc.syscall(call[column], call[2], 0n, 0n, 0n, 0n, 0n))];
      }),
    ),
    "connect to a backend": withSocket((fd) => libc.connect(fd, at(permitted), 16)),
    "connect to the port of a backend elsewhere": withSocket((fd) =>
      libc.connect(fd, at(permitted, "127.0.0.2"), 16)
    ),
    "connect to another port": withSocket((fd) => libc.connect(fd, at(other), 16)),
    "send to another port": withSocket((fd) => libc.sendto(fd, path, 4n, MSG_FASTOPEN, at(other), 16)),
    bind: withSocket((fd) => libc.bind(fd, at(0), 16)),
    listen: withSocket((fd) => libc.listen(fd, 1)),
    "IPv6 socket": makesSocket(AF_INET6, SOCK_STREAM),
    "datagram socket": makesSocket(AF_INET, SOCK_DGRAM),
    "IPv6 datagram socket": makesSocket(AF_INET6, SOCK_DGRAM),
    "datagrams to another port": withSocket((fd) => libc.connect(fd, at(other), 16), SOCK_DGRAM),
    "bind for datagrams": withSocket((fd) => libc.bind(fd, at(0), 16), SOCK_DGRAM),
    "UDP-Lite socket": makesSocket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE),
    "ping socket": makesSocket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
    "Unix datagram socket": makesSocket(AF_UNIX, SOCK_DGRAM),
    "raw socket": makesSocket(AF_INET, SOCK_RAW, IPPROTO_ICMP),
    "MPTCP socket": makesSocket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP),
    "Unix socket": makesSocket(AF_UNIX, SOCK_STREAM),
    "netlink socket": makesSocket(AF_NETLINK, SOCK_RAW),
    "packet socket": makesSocket(AF_PACKET, SOCK_RAW),
  });
}

function openLibc(): Deno.StaticForeignLibraryInterface<typeof SYMBOLS> {
  for (const path of LIBC_PATHS) {
    try {
      return Deno.dlopen(path, SYMBOLS).symbols;
    } catch {
      // There is none, or no permission for it.
    }
  }
  throw new Error("Cannot try anything: there is no C library");
}
