/** The file with the token of the admin side. */

import { RunError } from "../core/errors.ts";
import { readSmallFile, type SmallFile } from "./small_file.ts";

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
  const read = await readSmallFile(path, MAX_FILE_BYTES);
  if ("why" in read) throw new RunError(`${path}: ${describeFile(read, path)}`);
  const token = read.text.trim();
  if (token.length >= MIN_TOKEN_CHARS && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new RunError(`${path}: ${describe(token)}; ${howToMake(path)}`);
}

function describeFile({ why, kind }: Exclude<SmallFile, { text: string }>, path: string): string {
  switch (kind) {
    case "missing":
      return `${why}; ${howToMake(path)}`;
    case "too long":
      return `${why} for a token; ${howToMake(path)}`;
    case "no file":
      return `${why}; a token is the only line of one`;
    case "refused":
      return why;
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

function howToMake(path: string): string {
  return `make one with: openssl rand -hex 32 > ${path}`;
}
