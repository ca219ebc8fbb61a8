import { RunError } from "./errors.ts";

/** A file that is written at its end, and opened again when somebody has moved it away (logrotate). */
export class LogFile {
  readonly #path: string;
  #file: Deno.FsFile;
  #replacement: Deno.FsFile | undefined;
  #isWriting = false;

  /**
   * Opens the file, which is made if it is not there.
   *
   * @throws {RunError} when it cannot be opened.
   */
  static async open(path: string): Promise<LogFile> {
    return new LogFile(path, await openToAppend(path));
  }

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /** Writes all of the bytes, to one file, and says how many; one write at a time. So no line is torn between files. */
  async write(bytes: Uint8Array): Promise<number> {
    this.#isWriting = true;
    try {
      let written = 0;
      // deno-lint-ignore no-await-in-loop -- the rest can only follow
      while (written < bytes.length) written += await this.#file.write(bytes.subarray(written));
      return written;
    } finally {
      this.#isWriting = false;
      this.#replace();
    }
  }

  /**
   * Opens the path again; what is written after the write that is under way goes there.
   *
   * @throws {RunError} when it cannot be opened; then the old file is used on.
   */
  async reopen(): Promise<void> {
    const file = await openToAppend(this.#path);
    this.#replacement?.close();
    this.#replacement = file;
    if (!this.#isWriting) this.#replace();
  }

  #replace(): void {
    if (this.#replacement === undefined) return;
    this.#file.close();
    this.#file = this.#replacement;
    this.#replacement = undefined;
  }

  close(): void {
    this.#file.close();
    this.#replacement?.close();
  }
}

async function openToAppend(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { append: true, create: true });
  } catch (error) {
    throw new RunError(`${path}: ${whyNot(error)}`, { cause: error });
  }
}

function whyNot(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (error instanceof Deno.errors.NotCapable) return "sockbal was started without permission to write it";
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not write it";
  if (error instanceof Deno.errors.IsADirectory) return "is a directory";
  return "cannot be opened";
}
