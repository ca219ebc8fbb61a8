/** Numbers of the Linux interface (uapi/linux, socket(7), tcp(7), epoll_ctl(2)), the same on x86-64 and arm64 but for one layout. */

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_PEERCRED = 17;
export const SO_ACCEPTCONN = 30;

export const IPPROTO_IP = 0;
export const IP_PKTINFO = 8;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_IPV6 = 41;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_USER_TIMEOUT = 18;

export const SHUT_WR = 1;
export const SHUT_RDWR = 2;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CMSG_CLOEXEC = 0x40000000;
/** Of control data (unix(7)). */
export const SCM_RIGHTS = 1;
export const SIOCOUTQ = 0x5411;
export const SIOCGIFINDEX = 0x8933;

export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const O_NONBLOCK = 0o4000;
export const F_DUPFD_CLOEXEC = 1030;

export const EFD_NONBLOCK = SOCK_NONBLOCK;
export const EFD_CLOEXEC = SOCK_CLOEXEC;
export const EPOLL_CLOEXEC = SOCK_CLOEXEC;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLLIN = 0x1;
export const EPOLLPRI = 0x2;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 1 << 28;
/** The sign bit. */
export const EPOLLET = 1 << 31;

/**
 * An `epoll_event` in words of 32 bits: it is packed on x86-64 alone. Its data, the second half, follows the events at once or after
 * one word.
 */
export const EVENT_WORDS: number = Deno.build.arch === "x86_64" ? 3 : 4;
export const EVENT_DATA: number = EVENT_WORDS - 2;

export const RLIMIT_NOFILE = 7;

export const CLOCK_MONOTONIC = 1;
export const TFD_CLOEXEC = SOCK_CLOEXEC;
export const TFD_NONBLOCK = SOCK_NONBLOCK;

/** Numbers of system calls (syscall(2)). */
export const SYS_GETTID: number = Deno.build.arch === "x86_64" ? 186 : 178;
export const SYS_TGKILL: number = Deno.build.arch === "x86_64" ? 234 : 131;
export const SYS_RECVMMSG: number = Deno.build.arch === "x86_64" ? 299 : 243;
export const SYS_SENDMMSG: number = Deno.build.arch === "x86_64" ? 307 : 269;
export const SYS_SENDMSG: number = Deno.build.arch === "x86_64" ? 46 : 211;
export const SYS_RECVMSG: number = Deno.build.arch === "x86_64" ? 47 : 212;
