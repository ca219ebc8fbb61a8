/** A file of log lines: written at its end, opened again when it was moved away (logrotate), and never with glued lines. */

import { dirname } from "node:path";
import { RunError } from "./errors.ts";
import { joined } from "./joined.ts";

const NEWLINE = 0x0a;

/** A file that is open to be written at its end. */
export class LogFile {
  readonly #path: string;
  #file: Deno.FsFile;
  #replacement: Deno.FsFile | undefined;
  #isWriting = false;
  /** What has been written of a line that has not ended. */
  #begun: Uint8Array = new Uint8Array();
  /** What comes before anything else: what a newly opened file has to have first. */
  #owed: Uint8Array = new Uint8Array();

  /**
   * Opens the file, which is made if it is not there.
   *
   * @throws {RunError} when it cannot be opened.
   */
  static async open(path: string): Promise<LogFile> {
    const file = new LogFile(path, await openToAppend(path));
    // A program that was killed, or ended while the disk was full, has left a line without its end.
    if (await endsInLine(path)) file.#owed = new Uint8Array([NEWLINE]);
    return file;
  }

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /** How messages call it. */
  get name(): string {
    return this.#path;
  }

  /**
   * Writes the bytes, to one file, and says how many; one write at a time. When it fails half-way, the bytes that were
   * written count, and the next write fails.
   */
  async write(bytes: Uint8Array): Promise<number> {
    this.#isWriting = true;
    let written = 0;
    try {
      // deno-lint-ignore no-await-in-loop -- the rest can only follow
      while (this.#owed.length > 0) this.#owed = this.#owed.subarray(await this.#file.write(this.#owed));
      // deno-lint-ignore no-await-in-loop -- the rest can only follow
      while (written < bytes.length) written += await this.#file.write(bytes.subarray(written));
    } catch (error) {
      if (written === 0) throw error;
    } finally {
      this.#note(bytes.subarray(0, written));
      this.#isWriting = false;
      this.#replace();
    }
    return written;
  }

  /**
   * Opens the path again; what is written after the write that is under way goes there, a line that has only begun as a
   * whole.
   *
   * @throws {RunError} when it cannot be opened; then the old file is used on.
   */
  async reopen(): Promise<void> {
    const file = await openToAppend(this.#path);
    this.#replacement?.close();
    this.#replacement = file;
    if (!this.#isWriting) this.#replace();
  }

  close(): void {
    this.#file.close();
    this.#replacement?.close();
  }

  #note(written: Uint8Array): void {
    const lastEnd = written.lastIndexOf(NEWLINE);
    if (lastEnd !== -1) this.#begun = written.slice(lastEnd + 1);
    else if (written.length > 0) this.#begun = joined(this.#begun, written);
  }

  #replace(): void {
    if (this.#replacement === undefined) return;
    this.#file.close();
    this.#file = this.#replacement;
    this.#replacement = undefined;
    this.#owed = this.#begun;
  }
}

async function openToAppend(path: string): Promise<Deno.FsFile> {
  try {
    // To open a pipe only for writing would wait until it has a reader, and the start with it.
    const isPipe = await Deno.stat(path).then(({ isFifo }) => isFifo === true, () => false);
    return await Deno.open(path, { append: true, create: true, read: isPipe });
  } catch (error) {
    throw new RunError(`${path}: ${whyNotWritable(error)}`, { cause: error });
  }
}

/** Whether a file has bytes after its last newline. False where it cannot be read, or is no regular file. */
async function endsInLine(path: string): Promise<boolean> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile || size === 0) return false;
    using file = await Deno.open(path);
    await file.seek(-1, Deno.SeekMode.End);
    const last = new Uint8Array(1);
    return await file.read(last) === 1 && last[0] !== NEWLINE;
  } catch {
    return false;
  }
}

/**
 * Why a log cannot be written to this path, in a few plain words; undefined when it can, or when this program has not the
 * permission to try. Nothing is left behind.
 */
export async function whyNoLogFile(path: string): Promise<string | undefined> {
  try {
    const { isFifo, isDirectory } = await Deno.stat(path).catch((error) => {
      if (error instanceof Deno.errors.NotCapable) return { isFifo: false, isDirectory: false };
      throw error;
    });
    if (isDirectory) return "is a directory; name a file in it";
    // To open a pipe would wait for its reader.
    if (!isFifo) (await Deno.open(path, { append: true })).close();
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      const why = await whyNoNewFile(dirname(path));
      return why === undefined ? undefined : `${why} (${dirname(path)})`;
    }
    if (!(error instanceof Deno.errors.NotCapable)) return whyNotWritable(error);
    const why = await whyNotGranted(path);
    return why === undefined ? undefined : `${why}; write /dev/stdout or the path of a file`;
  }
}

/** Why no file can be made in a folder; undefined when one can, or when that may not be tried. Nothing is left behind. */
export async function whyNoNewFile(folder: string): Promise<string | undefined> {
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: folder, prefix: ".sockbal-check-" }));
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      return await whyNotGranted(folder) ?? await whyNoFolder(folder);
    }
    if (error instanceof Deno.errors.PermissionDenied) return "this user may make no file in the folder";
    return whyNotWritable(error);
  }
}

/** What no permission allows; undefined for what was not permitted, which may not be tried. */
async function whyNotGranted(path: string): Promise<string | undefined> {
  const { state } = await Deno.permissions.query({ name: "write", path });
  return state === "granted" ? "the runtime lets no program write there" : undefined;
}

async function whyNoFolder(path: string): Promise<string | undefined> {
  try {
    return (await Deno.stat(path)).isDirectory ? undefined : whyNotWritable(new Deno.errors.NotADirectory());
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? whyNotWritable(error) : undefined;
  }
}

/** Why a file cannot be opened to be written, in a few plain words. */
function whyNotWritable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (error instanceof Deno.errors.NotADirectory) return "what its path calls a folder is none";
  if (error instanceof Deno.errors.NotCapable) return "sockbal was started without permission to write it";
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not write it";
  if (error instanceof Deno.errors.IsADirectory) return "is a directory";
  return "cannot be opened";
}
