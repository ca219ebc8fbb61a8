/** A configuration from disk or from stdin: one file or several. */

import { InputError } from "../core/errors.ts";
import { withPathsFrom } from "./based_paths.ts";
import { readsStdin } from "./config_file.ts";
import type { Path } from "./place.ts";
import type { EngineOf } from "./engine_checks.ts";
import { fileFindings } from "./file_checks.ts";
import type { PathFault } from "./findings.ts";
import { type ConfigFile, gather, type Gathered, gatherText, readPathsOf } from "./gather.ts";
import { asList, asMap } from "./loose.ts";
import { draftConfig } from "./parse.ts";
import type { Config } from "./schema.ts";
import type { Environment } from "./variables.ts";

/** A file that was read, and how much of the configuration is in it. */
export interface FileRead {
  readonly name: string;
  readonly listeners: number;
  readonly pools: number;
  readonly backends: number;
}

/** A configuration, and how to say later what is wrong with a part of it. */
export interface PlacedConfig {
  readonly config: Config;
  readonly files: readonly FileRead[];
  /** Files and folders that must be readable to read it again. */
  readonly reads: readonly string[];
  /** Names of the environment that it takes values from. */
  readonly variables: readonly string[];
  /** `FILE:LINE:COLUMN PATH: MESSAGE`. */
  describe(path: Path, message: string): string;
}

/**
 * Reads and checks a configuration, and the files that it names.
 *
 * @throws {InputError} when it cannot be read, {@linkcode ConfigError} when something in it is wrong.
 */
export async function readConfig(path: string, engineOf?: EngineOf): Promise<Config> {
  return (await readPlacedConfig(path, true, engineOf)).config;
}

/**
 * The same, with the places.
 *
 * @param path A file, a folder, or `-` for stdin.
 * @param checksFiles False leaves out the files that it names: they matter only where it is to be run.
 * @param engineOf Which engine is to run it.
 * @throws as {@linkcode readConfig} does.
 */
export async function readPlacedConfig(
  path: string,
  checksFiles = true,
  engineOf?: EngineOf,
): Promise<PlacedConfig> {
  const gathered = await gather(path, environment);
  const names = (readsStdin(path) ? gathered.files.slice(1) : gathered.files).map(({ name }) => name);
  return await placed(gathered, names, checksFiles, engineOf);
}

/**
 * The same for a text that stands in no file; relative paths are relative to the current folder.
 *
 * @param name How messages call it.
 * @throws {ConfigError} when something in it is wrong.
 */
export async function placeText(
  name: string,
  text: string,
  checksFiles = true,
  engineOf?: EngineOf,
): Promise<PlacedConfig> {
  return await placed(gatherText(name, text, environment), undefined, checksFiles, engineOf);
}

/** @param names The paths of its files; undefined when it stands in none. */
async function placed(
  gathered: Gathered,
  names: readonly string[] | undefined,
  checksFiles: boolean,
  engineOf: EngineOf | undefined,
): Promise<PlacedConfig> {
  const { files } = gathered;
  const folder = files[0]?.folder ?? ".";
  const draft = draftConfig(files);
  const { faults, notes } = checksFiles
    ? await fileFindings(draft.document, folder, names ?? [])
    : { faults: [], notes: [] };
  const isStored = names === undefined;
  const config = draft.finish({
    faults: [...(isStored ? includeFaults(draft.document) : []), ...faults],
    notes: [...notes, ...(isStored ? [] : rolloutNotes(draft.document))],
  }, engineOf);
  return {
    config: withPathsFrom(folder, config),
    files: files.map(countsOf),
    reads: readPathsOf(gathered),
    variables: [...new Set(files.flatMap(({ document }) => [...document.variables]))].toSorted(),
    describe: (at, message) => draft.describe(at, message),
  };
}

/** Every balancer that has the text is to have the same configuration. */
function includeFaults(document: unknown): PathFault[] {
  if (asList(asMap(document).include).length === 0) return [];
  const message = "a configuration in etcd is one key; write here what was to be included";
  return [{ path: ["include"], message, atKey: true }];
}

function rolloutNotes(document: unknown): PathFault[] {
  if (asMap(asMap(document).fleet).rollout === undefined) return [];
  const message = "it is about a configuration in etcd (--config etcd://…), and this one is not there";
  return [{ path: ["fleet", "rollout"], message, atKey: true }];
}

/** The environment of this program, of which only what a configuration names is read. */
export const environment: Environment = (name) => {
  try {
    return Deno.env.get(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new InputError(
      `sockbal was started without permission to read ${name} of the environment (--allow-env=${name})`,
    );
  }
};

function countsOf({ name, document }: ConfigFile): FileRead {
  const { listeners, pools } = asMap(document.value);
  const all = Object.values(asMap(pools));
  return {
    name,
    listeners: asList(listeners).length,
    pools: all.length,
    backends: all.reduce<number>((sum, pool) => sum + asList(asMap(pool).backends).length, 0),
  };
}
