/** The text of a file of a configuration; whatever keeps it from being read is one plain sentence. */

import { chunks } from "../core/connection.ts";
import { InputError, reasonOf } from "../core/errors.ts";
import { standardStreamOf } from "../core/standard_stream.ts";

/** Larger than any sensible configuration; what is larger is some other file. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Whether this is how people say stdin. */
export function readsStdin(path: string): boolean {
  return path === "-" || standardStreamOf(path) === "stdin";
}

/** How a configuration is called that comes from stdin. */
export const STDIN = "stdin";

/** @throws {InputError} when it cannot be read. */
export async function readConfigText(path: string): Promise<string> {
  const isStdin = readsStdin(path);
  const bytes = isStdin ? await readUpTo(Deno.stdin, STDIN) : await readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${isStdin ? STDIN : path}: not UTF-8 text`);
  }
}

/**
 * As {@linkcode readConfigText}, for a file that is not the whole configuration: it will be read again, which nothing but a regular
 * file bears.
 */
export async function readPartText(path: string): Promise<string> {
  const isOther = await Deno.stat(path).then(
    ({ isFile, isDirectory }) => !isFile && !isDirectory,
    () => false,
  );
  if (isOther) throw new InputError(`${path}: is no regular file`);
  return await readConfigText(path);
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    if ((await Deno.stat(path)).isDirectory) {
      throw new InputError(`${path}: is a directory; name the files in it, as ${path}/*.yaml`);
    }
    using file = await Deno.open(path);
    return await readUpTo(file, path);
  } catch (error) {
    if (error instanceof InputError) throw error;
    if (error instanceof Deno.errors.NotFound) throw new InputError(`${path}: no such file`);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new InputError(`${path}: this user may not read it`);
    }
    if (error instanceof Deno.errors.NotCapable) {
      if (/^\/(dev|proc)\//.test(path)) {
        throw new InputError(
          `${path}: the runtime lets no program open it; send the configuration to stdin, with --config -`,
        );
      }
      throw new InputError(
        `${path}: sockbal was started without permission to read it (--allow-read=${path})`,
      );
    }
    throw new InputError(`${path}: cannot be read: ${reasonOf(error)}`);
  }
}

/** Stops at the limit, since some files never end. */
async function readUpTo(file: Pick<Deno.FsFile, "read">, path: string): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of chunks(file)) {
    size += chunk.length;
    if (size > MAX_FILE_BYTES) throw new InputError(`${path}: larger than 16 MiB; this is no configuration`);
    parts.push(chunk.slice());
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
