/** A configuration file from disk; whatever keeps it from being read is one plain sentence. */

import { dirname } from "node:path";
import { chunks } from "../core/connection.ts";
import { InputError, reasonOf } from "../core/errors.ts";
import { standardStreamOf } from "../core/standard_stream.ts";
import { withPathsFrom } from "./based_paths.ts";
import type { Path } from "./document.ts";
import type { EngineOf } from "./engine_checks.ts";
import { fileFindings } from "./file_checks.ts";
import { draftConfig } from "./parse.ts";
import type { Config } from "./schema.ts";

/** Larger than any sensible configuration; what is larger is some other file. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** A configuration, and how to say later what is wrong with a part of it. */
export interface PlacedConfig {
  readonly config: Config;
  /** `FILE:LINE:COLUMN PATH: MESSAGE`. */
  describe(path: Path, message: string): string;
}

/** How a configuration is called that comes from stdin. */
const STDIN = "stdin";

/**
 * Reads and checks a configuration file, and the files that it names.
 *
 * @throws {InputError} when it cannot be read, {@linkcode ConfigError} when something in it is wrong.
 */
export async function readConfig(path: string, engineOf?: EngineOf): Promise<Config> {
  return (await readPlacedConfig(path, true, engineOf)).config;
}

/**
 * The same, with the places.
 *
 * @param path A path, or `-` for stdin.
 * @param checksFiles False leaves out the files that it names: they matter only where it is to be run.
 * @param engineOf Which engine is to run it.
 * @throws as {@linkcode readConfig} does.
 */
export async function readPlacedConfig(
  path: string,
  checksFiles = true,
  engineOf?: EngineOf,
): Promise<PlacedConfig> {
  const isStdin = readsStdin(path);
  const [folder, name] = isStdin ? [".", STDIN] : [dirname(path), path];
  const draft = draftConfig(await readText(path, name), name);
  const config = draft.finish(
    checksFiles ? await fileFindings(draft.document, folder, isStdin ? undefined : path) : undefined,
    engineOf,
  );
  return { config: withPathsFrom(folder, config), describe: (at, message) => draft.describe(at, message) };
}

/** Whether this is how people say stdin. */
export function readsStdin(path: string): boolean {
  return path === "-" || standardStreamOf(path) === "stdin";
}

async function readText(path: string, name: string): Promise<string> {
  const bytes = readsStdin(path) ? await readUpTo(Deno.stdin, name) : await readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${name}: not UTF-8 text`);
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    if ((await Deno.stat(path)).isDirectory) {
      throw new InputError(`${path}: is a directory; name the file in it`);
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
