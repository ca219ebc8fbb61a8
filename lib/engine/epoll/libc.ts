/**
 * The foreign functions of the engine: calls of the C library, as glibc and musl have them alike.
 *
 * A call with numbers and buffers costs about 11 ns beside the system call. Results are `i32`: the runtime would give 64 bits as
 * a bigint, and no size here comes near 2^31.
 */

import { reasonOf, RunError } from "../../core/errors.ts";

const SYMBOLS = {
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  eventfd: { parameters: ["i32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  getpid: { parameters: [], result: "i32" },
  // `syscall` takes as many arguments as the call has, each in a register. Older C libraries have no functions for these.
  gettid: { name: "syscall", parameters: ["usize"], result: "i32" },
  tgkill: { name: "syscall", parameters: ["usize", "i32", "i32", "i32"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  ioctl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  // The C library has no functions for these.
  landlock_add_rule: { name: "syscall", parameters: ["usize", "i32", "i32", "buffer", "u32"], result: "i32" },
  landlock_create_ruleset: {
    name: "syscall",
    parameters: ["usize", "buffer", "usize", "u32"],
    result: "i32",
  },
  landlock_restrict_self: { name: "syscall", parameters: ["usize", "i32", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  memcpy: { parameters: ["buffer", "pointer", "i32"], result: "pointer" },
  memcpy_address: { name: "memcpy", parameters: ["buffer", "buffer", "usize"], result: "usize" },
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  prctl_buffer: {
    name: "prctl",
    parameters: ["i32", "usize", "buffer", "usize", "usize"],
    result: "i32",
  },
  recv: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  // By their numbers, which the kernel takes as 32 bits: musl's own functions copy the structures, and make a call for each message.
  recvmmsg: {
    name: "syscall",
    parameters: ["i32", "i32", "buffer", "u32", "i32", "pointer"],
    result: "i32",
  },
  sendmmsg: { name: "syscall", parameters: ["i32", "i32", "buffer", "u32", "i32"], result: "i32" },
  // By their numbers: musl's own functions take little control data.
  recvmsg: { name: "syscall", parameters: ["usize", "i32", "buffer", "i32"], result: "i32" },
  sendmsg: { name: "syscall", parameters: ["usize", "i32", "buffer", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "i32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  timerfd_create: { parameters: ["i32", "i32"], result: "i32" },
  timerfd_settime: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
  write: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

type Symbols = Deno.StaticForeignLibraryInterface<typeof SYMBOLS>;

/** The C library as one thread uses it. Numbers of errors belong to the thread that made the call. */
export interface Libc extends Omit<Symbols, "__errno_location" | "memcpy" | "memcpy_address"> {
  /**
   * Where a buffer is in memory, for a structure that points to it. It must not move: more than 64 bytes, in an ArrayBuffer of its
   * own. The runtime's own way needs the permission for all libraries.
   */
  addressOf(buffer: Uint8Array<ArrayBuffer>): bigint;
  /** Why the last call failed. Read it at once: the runtime makes calls of its own between two turns. */
  errno(): number;
  /** Where the library was found: a full path, or a bare name. */
  readonly path: string;
  /** Gives the library back; no call may follow. */
  unload(): void;
}

/**
 * Where the C library lies. Full paths come first, since a permission can name them (`--allow-ffi=PATH`); the bare names are found
 * by the system's loader.
 */
export const LIBC_PATHS: readonly string[] = [
  ...(Deno.build.arch === "x86_64"
    ? ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/lib/ld-musl-x86_64.so.1"]
    : ["/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/lib/ld-musl-aarch64.so.1"]),
  "libc.so.6",
  Deno.build.arch === "x86_64" ? "libc.musl-x86_64.so.1" : "libc.musl-aarch64.so.1",
];

/**
 * Opens the C library for this thread.
 *
 * @throws {RunError} when there is none, or no permission for it.
 */
export function openLibc(): Libc {
  const opened = openFirst();
  if ("missing" in opened) throw new RunError(`the engine epoll cannot be used: ${opened.missing}`);
  const { library, path } = opened;
  const { __errno_location, memcpy, memcpy_address, ...calls } = library.symbols;
  const location = __errno_location();
  const number = new Int32Array(1);
  return {
    ...calls,
    // It copies nothing and gives back its first argument.
    addressOf: (buffer) => memcpy_address(buffer, buffer, 0n),
    errno: () => {
      memcpy(number, location, 4);
      return number[0] ?? 0;
    },
    path,
    unload: () => library.close(),
  };
}

/** Why the C library cannot be opened here, as a part of a sentence; undefined when it can. */
export function whyNoLibc(): string | undefined {
  const opened = openFirst();
  if ("missing" in opened) return opened.missing;
  opened.library.close();
  return undefined;
}

/** The file of the C library, without opening it; undefined where only the system's loader, by a bare name, knows it. */
export async function findLibc(): Promise<string | undefined> {
  for (const path of LIBC_PATHS.filter((it) => it.startsWith("/"))) {
    // deno-lint-ignore no-await-in-loop -- the first that exists
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
  return undefined;
}

type Opened =
  | { readonly library: Deno.DynamicLibrary<typeof SYMBOLS>; readonly path: string }
  | { readonly missing: string };

/** Tries only what is permitted: without `--no-prompt` the runtime would ask the user about the rest. */
function openFirst(): Opened {
  const permitted = LIBC_PATHS.filter(isPermitted);
  if (permitted.length === 0) {
    return { missing: "it needs the permission for foreign functions (--allow-ffi)" };
  }
  let missing = `no C library was found (looked for ${permitted.join(", ")})`;
  for (const path of permitted) {
    try {
      return { library: Deno.dlopen(path, SYMBOLS), path };
    } catch (error) {
      const [, symbol] = /register symbol (\w+)/.exec(reasonOf(error)) ?? [];
      if (symbol !== undefined) missing = `the C library ${path} has no function ${symbol}`;
    }
  }
  return { missing };
}

/** A bare name can be opened only with the permission for all libraries. */
function isPermitted(path: string): boolean {
  const asked = path.startsWith("/") ? { name: "ffi", path } as const : { name: "ffi" } as const;
  return Deno.permissions.querySync(asked).state === "granted";
}
