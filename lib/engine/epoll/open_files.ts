/** How many descriptors the process has open (proc_pid_fd(5)). */

const SYMBOLS = {
  opendir: { parameters: ["buffer"], result: "pointer" },
  readdir: { parameters: ["pointer"], result: "pointer" },
  closedir: { parameters: ["pointer"], result: "i32" },
  // Older C libraries have none.
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

const FOLDER = new TextEncoder().encode("/proc/self/fd\0");

/** `.` and `..`, and the descriptor by which the folder is read. */
const OTHER_ENTRIES = 3;

/** statx(2): the path is not relative to a descriptor; the size is asked for; where it is in the answer. */
const AT_FDCWD = -100;
const STATX_SIZE = 0x200;
const STATX_BYTES = 256;
const SIZE_AT_BYTE = 40;

export class OpenFileCount {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

  /** @param path The file of the C library, which has been opened before. */
  constructor(path: string) {
    this.#library = Deno.dlopen(path, SYMBOLS);
  }

  /** Undefined where it cannot be found out. */
  now(): number | undefined {
    return this.#size() ?? this.#entries();
  }

  /** Gives the library back. */
  unload(): void {
    this.#library.close();
  }

  /** The size of the folder is the number of descriptors, since Linux 6.2; before it is 0. */
  #size(): number | undefined {
    const { statx } = this.#library.symbols;
    const answer = new DataView(new ArrayBuffer(STATX_BYTES));
    if (statx === null || statx(AT_FDCWD, FOLDER, 0, STATX_SIZE, answer) !== 0) return undefined;
    return Number(answer.getBigUint64(SIZE_AT_BYTE, true)) || undefined;
  }

  /** Some hundred nanoseconds each. */
  #entries(): number | undefined {
    const { opendir, readdir, closedir } = this.#library.symbols;
    const folder = opendir(FOLDER);
    if (folder === null) return undefined;
    let entries = 0;
    while (readdir(folder) !== null) entries++;
    closedir(folder);
    return Math.max(0, entries - OTHER_ENTRIES);
  }
}
