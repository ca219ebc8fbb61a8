/** Configurations of several files in a folder of their own, and what is said about them. */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { ConfigError } from "../../lib/config/parse.ts";
import { type PlacedConfig, readPlacedConfig } from "../../lib/config/read.ts";

export interface ConfigFolder extends AsyncDisposable {
  readonly path: string;
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** Reads the configuration with this name; the folder itself without one. */
  read(name?: string): Promise<PlacedConfig>;
  /** What is said about it, a line each, without the path of the folder. */
  faults(name?: string): Promise<string[]>;
}

/** @param files Texts by name. */
export async function configFolder(files: Readonly<Record<string, string>>): Promise<ConfigFolder> {
  const path = await Deno.makeTempDir();
  const folder: ConfigFolder = {
    path,
    write: async (files) => {
      await Promise.all(
        Object.entries(files).map(async ([name, text]) => {
          await Deno.mkdir(dirname(join(path, name)), { recursive: true });
          await Deno.writeTextFile(join(path, name), text);
        }),
      );
    },
    read: (name = "") => readPlacedConfig(join(path, name)),
    faults: async (name) => {
      try {
        await folder.read(name);
        return [];
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        return error.message.replaceAll(`${path}/`, "").split("\n");
      }
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
  await folder.write(files);
  return folder;
}

/** A file with one listener. */
export function listenerText(name: string, port: number, more = ""): string {
  return `listeners:\n  - { name: ${name}, listen: "127.0.0.1:${port}", pool: web${more} }\n`;
}

/** A file with one pool. */
export function poolText(name: string, port: number, more = ""): string {
  return `pools:\n  ${name}:\n    backends: [127.0.0.1:${port}]\n${more}`;
}
