/** A configuration file from disk; whatever keeps it from being read is one plain sentence. */

import { dirname, resolve } from "node:path";
import type { Address } from "../core/address.ts";
import { chunks } from "../core/connection.ts";
import { InputError, reasonOf } from "../core/errors.ts";
import { parseConfig } from "./parse.ts";
import type { Config } from "./schema.ts";

/** Larger than any sensible configuration; what is larger is some other file. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/**
 * Reads and checks a configuration file.
 *
 * @throws {InputError} when it cannot be read, {@linkcode ConfigError} when something in it is wrong.
 */
export async function readConfig(path: string): Promise<Config> {
  return withPathsFrom(dirname(path), parseConfig(await readText(path), path));
}

/** Relative paths in a configuration are relative to its file, wherever the program was started. */
function withPathsFrom(folder: string, config: Config): Config {
  const based = (address: Address): Address => {
    return address.transport === "unix" ? { ...address, path: resolve(folder, address.path) } : address;
  };
  const pools = Object.entries(config.pools).map(([name, pool]) => {
    const backends = pool.backends.map((backend) => ({ ...backend, address: based(backend.address) }));
    return [name, { ...pool, backends }];
  });
  const listeners = config.listeners.map((listener) => ({ ...listener, listen: based(listener.listen) }));
  const { admin, log } = config;
  return {
    ...config,
    listeners,
    pools: Object.fromEntries(pools),
    admin: admin === undefined ? undefined : {
      listen: based(admin.listen),
      tokenFile: admin.tokenFile === undefined ? undefined : resolve(folder, admin.tokenFile),
    },
    log: log.file === undefined ? log : { ...log, file: resolve(folder, log.file) },
  };
}

async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${path}: not UTF-8 text`);
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
      throw new InputError(
        `${path}: sockbal was started without permission to read it (--allow-read=${path})`,
      );
    }
    throw new InputError(`${path}: cannot be read: ${reasonOf(error)}`);
  }
}

/** Stops at the limit, since some files never end. */
async function readUpTo(file: Deno.FsFile, path: string): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of chunks(file)) {
    size += chunk.length;
    if (size > MAX_FILE_BYTES) throw new InputError(`${path}: larger than 16 MiB; this is no configuration`);
    parts.push(chunk.slice());
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
