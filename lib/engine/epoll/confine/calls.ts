/** The system calls that a thread of the data plane needs, and no others. Pure. */

import type { Reach } from "../../confinement.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SIOCGIFINDEX,
  SIOCOUTQ,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../linux.ts";
import { ENOSYS } from "../errno.ts";
import type { ArgumentTest, CallRule } from "./bpf.ts";

type Arch = typeof Deno.build.arch;

/** Numbers on x86-64 and on arm64, which lacks what has a newer form. Those that are called most come first. */
const NUMBERS = {
  sendto: [44, 206],
  recvmmsg: [299, 243],
  sendmmsg: [307, 269],
  epoll_wait: [232, undefined],
  epoll_pwait: [281, 22],
  recvfrom: [45, 207],
  epoll_ctl: [233, 21],
  accept4: [288, 242],
  timerfd_settime: [286, 86],
  socket: [41, 198],
  connect: [42, 203],
  bind: [49, 200],
  close: [3, 57],
  shutdown: [48, 210],
  setsockopt: [54, 208],
  getsockopt: [55, 209],
  getsockname: [51, 204],
  getpeername: [52, 205],
  ioctl: [16, 29],
  futex: [202, 98],
  read: [0, 63],
  write: [1, 64],
  writev: [20, 66],
  mmap: [9, 222],
  mprotect: [10, 226],
  pkey_mprotect: [329, 288],
  munmap: [11, 215],
  mremap: [25, 216],
  madvise: [28, 233],
  brk: [12, 214],
  membarrier: [324, 283],
  clock_gettime: [228, 113],
  clock_nanosleep: [230, 115],
  nanosleep: [35, 101],
  gettimeofday: [96, 169],
  getrandom: [318, 278],
  sched_yield: [24, 124],
  sched_getaffinity: [204, 123],
  sched_getparam: [143, 121],
  sched_getscheduler: [145, 120],
  clock_getres: [229, 114],
  getrusage: [98, 165],
  fcntl: [72, 25],
  getpid: [39, 172],
  gettid: [186, 178],
  prctl: [157, 167],
  clone: [56, 220],
  clone3: [435, 435],
  set_robust_list: [273, 99],
  rseq: [334, 293],
  rt_sigprocmask: [14, 135],
  rt_sigreturn: [15, 139],
  sigaltstack: [131, 132],
  restart_syscall: [219, 128],
  tgkill: [234, 131],
  exit: [60, 93],
  exit_group: [231, 94],
} as const satisfies Readonly<Record<string, readonly [x86: number, arm: number | undefined]>>;

type CallName = keyof typeof NUMBERS;

/** What only one of the two kinds of threads needs; see {@linkcode Reach}. */
const FOR_DATAGRAMS: readonly CallName[] = ["recvmmsg", "sendmmsg"];
const FOR_STREAMS: readonly CallName[] = ["accept4", "recvfrom", "shutdown"];
const FOR_ALARMS: readonly CallName[] = ["timerfd_settime"];

/** The kind of a socket; flags are above it. */
const SOCK_TYPE_MASK = 0xf;

const F_SETLK = 6;
const CLONE_THREAD = 0x10000;
const PR_SET_NAME = 15;
const PR_SET_VMA = 0x53564d41;

/** What a thread may call. */
export function allowedCalls(arch: Arch, reach: Reach, pid: number): CallRule[] {
  const tests = argumentTests(reach, pid);
  const column = arch === "x86_64" ? 0 : 1;
  const unneeded = new Set<CallName>(unneededBy(reach));
  if (!reach.mayBind) unneeded.add("bind");
  return (Object.keys(NUMBERS) as CallName[]).flatMap((name) => {
    const number = NUMBERS[name][column];
    if (number === undefined || unneeded.has(name)) return [];
    // Its flags are in memory, where a filter cannot look. The C library then uses clone.
    if (name === "clone3") return [{ number, tests: [], failsWith: ENOSYS }];
    return [{ number, tests: tests[name] ?? [] }];
  });
}

function unneededBy({ hasDatagrams, makesLoad = false }: Reach): readonly CallName[] {
  if (makesLoad) return [...FOR_DATAGRAMS, "accept4", ...(hasDatagrams ? ["shutdown"] as const : [])];
  return [...(hasDatagrams ? FOR_STREAMS : FOR_DATAGRAMS), ...FOR_ALARMS];
}

function argumentTests(
  { hasDatagrams, mayDialUnix }: Reach,
  pid: number,
): Partial<Record<CallName, ArgumentTest[]>> {
  const families = [AF_INET, AF_INET6, ...(mayDialUnix && !hasDatagrams ? [AF_UNIX] : [])];
  return {
    // Without an address: with one it would be another way to dial (MSG_FASTOPEN), which Landlock is not asked about.
    sendto: [
      { argument: 4, oneOf: [0] },
      { argument: 4, half: "high", oneOf: [0] },
    ],
    // Landlock knows the ports of TCP alone, not those of UDP, MPTCP or SCTP. So one thread has either TCP or UDP.
    socket: [
      { argument: 0, oneOf: families },
      { argument: 1, mask: SOCK_TYPE_MASK, oneOf: [hasDatagrams ? SOCK_DGRAM : SOCK_STREAM] },
      { argument: 2, oneOf: [0, hasDatagrams ? IPPROTO_UDP : IPPROTO_TCP] },
    ],
    setsockopt: [{ argument: 1, oneOf: [SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6] }],
    ioctl: [{ argument: 1, oneOf: [SIOCOUTQ, SIOCGIFINDEX] }],
    // A thread, which is confined as the one that starts it. Never a process.
    clone: [{ argument: 0, mask: CLONE_THREAD, oneOf: [CLONE_THREAD] }],
    // The runtime looks into its cache of compiled code when a part of it is loaded late. Without the lock it would try again for ten
    // seconds; with it the next step is refused, which it takes for an empty cache.
    fcntl: [{ argument: 1, oneOf: [F_SETLK] }],
    // The C library gives names to threads and to memory.
    prctl: [{ argument: 0, oneOf: [PR_SET_NAME, PR_SET_VMA] }],
    // A runtime that gives up raises a signal in its own process.
    tgkill: [{ argument: 0, oneOf: [pid] }],
  };
}
