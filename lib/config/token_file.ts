/** The file with the token of the admin side. */

import { chunks } from "../core/connection.ts";
import { RunError } from "../core/errors.ts";

/** A token shorter than this could be guessed. */
export const MIN_TOKEN_CHARS = 16;

/** Longer is no token; and some files never end. */
const MAX_FILE_BYTES = 4_096;

/**
 * Reads a token: the only line of a file.
 *
 * @throws {RunError} that says in one sentence why there is none.
 */
export async function readToken(path: string): Promise<string> {
  const token = (await readText(path)).trim();
  if (token.length >= MIN_TOKEN_CHARS && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new RunError(`${path}: ${describe(token)}; ${howToMake(path)}`);
}

async function readText(path: string): Promise<string> {
  try {
    const { isFile, isDirectory } = await Deno.stat(path);
    if (isDirectory) throw new RunError(`${path}: is a directory; name the file in it`);
    if (!isFile) throw new RunError(`${path}: is no regular file; a token is the only line of one`);
    using file = await Deno.open(path);
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of chunks(file)) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_FILE_BYTES) {
        throw new RunError(`${path}: is far too long for a token; ${howToMake(path)}`);
      }
    }
    return text;
  } catch (error) {
    if (error instanceof RunError) throw error;
    throw new RunError(`${path}: ${whyNotReadable(path, error)}`, { cause: error });
  }
}

/** What is wrong with a token; never the token itself, which would then stand in logs. */
function describe(token: string): string {
  if (token === "") return "is empty";
  if (/[\r\n]/.test(token)) return "has more than one line; a token is a single one";
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return "a token has letters, digits and signs of ASCII only, without spaces";
  }
  const chars = `${token.length} character${token.length === 1 ? "" : "s"}`;
  return `has ${chars}; a token has at least ${MIN_TOKEN_CHARS}`;
}

function whyNotReadable(path: string, error: unknown): string {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
    return `no such file; ${howToMake(path)}`;
  }
  if (error instanceof Deno.errors.NotCapable) {
    return `sockbal was started without permission to read it (--allow-read=${path})`;
  }
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return "cannot be read";
}

function howToMake(path: string): string {
  return `make one with: openssl rand -hex 32 > ${path}`;
}
