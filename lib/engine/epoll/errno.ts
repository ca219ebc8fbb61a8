/** Numbers of errors as names (errno(3)); Linux has the same ones on x86-64 and arm64. */

export const EINTR = 4;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EPIPE = 32;
export const ENOSYS = 38;
export const EMSGSIZE = 90;
export const EADDRNOTAVAIL = 99;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const ECONNREFUSED = 111;
export const EINPROGRESS = 115;

const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  20: "ENOTDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  28: "ENOSPC",
  30: "EROFS",
  32: "EPIPE",
  36: "ENAMETOOLONG",
  38: "ENOSYS",
  71: "EPROTO",
  90: "EMSGSIZE",
  92: "ENOPROTOOPT",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  101: "ENETUNREACH",
  103: "ECONNABORTED",
  104: "ECONNRESET",
  105: "ENOBUFS",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  112: "EHOSTDOWN",
  113: "EHOSTUNREACH",
  115: "EINPROGRESS",
};

/** In the words of the C library, without its capitals. */
const TEXTS: Readonly<Record<string, string>> = {
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  ENOMEM: "not enough memory",
  EACCES: "permission denied",
  ENFILE: "too many open files in the system",
  EMFILE: "too many open files",
  ENOSPC: "no room left, as for one more watched descriptor",
  ENOSYS: "this kernel does not have it",
  EOPNOTSUPP: "operation not supported",
  EPIPE: "the peer takes no more",
  EADDRINUSE: "address in use",
  EADDRNOTAVAIL: "address not available",
  ENETDOWN: "network is down",
  ENETUNREACH: "network unreachable",
  ECONNABORTED: "connection aborted",
  ECONNRESET: "connection reset by peer",
  ENOBUFS: "no buffer space available",
  ETIMEDOUT: "connection timed out",
  ECONNREFUSED: "connection refused",
  EHOSTUNREACH: "host unreachable",
};

/** An error of a system call. */
export class SystemError extends Error {
  /** Its name, as `ECONNREFUSED`. */
  readonly code: string;

  constructor(errno: number) {
    const code = nameOf(errno);
    super(TEXTS[code] ?? code);
    this.name = "SystemError";
    this.code = code;
  }
}

/** As `ECONNREFUSED`. */
export function nameOf(errno: number): string {
  return NAMES[errno] ?? `errno ${errno}`;
}
