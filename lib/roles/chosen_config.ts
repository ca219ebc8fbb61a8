/** Which configuration a balancer runs: a file, a key of etcd, what the command line says, or the built-in sample. */

import type { BalancerFlags } from "../cli/flags.ts";
import type { EngineOf } from "../config/engine_checks.ts";
import { readsStdin, STDIN } from "../config/config_file.ts";
import { type EtcdUrl, isEtcdUrl, parseEtcdUrl } from "../config/etcd_url.ts";
import { ConfigError } from "../config/parse.ts";
import { type FileRead, type PlacedConfig, placeText, readPlacedConfig } from "../config/read.ts";
import type { Config } from "../config/schema.ts";
import { configOf, sampleConfig } from "../config/sources.ts";
import { filesOf, readBeside, readStoredText } from "../control/stored_config.ts";
import { InputError } from "../core/errors.ts";
import { PASSED_SUFFIX } from "../fleet/trial.ts";
import { unlessStopped } from "./terminal.ts";

/** The configuration that is used when the command line names none and this file exists. */
const DEFAULT_FILE = "balancer.yaml";

export interface ChosenConfig {
  readonly config: Config;
  /** How messages call it. */
  readonly name: string;
  /** A file or folder; undefined when it is neither, or cannot be read again. */
  readonly file: string | undefined;
  /** Where it is in etcd, and what it says there. */
  readonly stored?: { readonly url: EtcdUrl; readonly text: string };
  /** The files of which it consists. */
  readonly files?: readonly FileRead[];
  /** Files and folders that must be readable to read it again. */
  readonly reads?: readonly string[];
  /** Names of the environment that it takes values from. */
  readonly variables?: readonly string[];
  /** `FILE:LINE:COLUMN PATH: MESSAGE`; undefined when there is no such place. */
  readonly describe?: PlacedConfig["describe"];
}

/**
 * Chooses and reads it.
 *
 * @param checksFiles Whether the files that it names have to be in order, as they do where it is to be run.
 * @param engineOf Which engine is to run it; undefined when it is not to be run.
 * @throws {InputError} when it cannot be read, or the flags contradict each other; {@linkcode RunError} when etcd does not answer, or the
 * user stops it.
 */
export async function chooseConfig(
  flags: BalancerFlags,
  checksFiles = true,
  engineOf?: EngineOf,
  stop: AbortSignal = new AbortController().signal,
): Promise<ChosenConfig> {
  const chosen = await unlessStopped(choose(flags, checksFiles, engineOf, stop), stop);
  // With --status, --watch is about the table.
  if (flags.watch && !flags.status && chosen.file === undefined && chosen.stored === undefined) {
    throw new InputError(`--watch needs a configuration file to look at; there is only ${chosen.name}`);
  }
  return chosen;
}

async function choose(
  flags: BalancerFlags,
  checksFiles: boolean,
  engineOf: EngineOf | undefined,
  stop: AbortSignal,
): Promise<ChosenConfig> {
  const isShort = flags.listen !== undefined || flags.backends.length > 0 || flags.algorithm !== undefined;
  if (isShort) {
    if (flags.config !== undefined) {
      throw new InputError("--config cannot be used together with --listen, --backend or --algorithm");
    }
    return { config: configOf(flags), name: "the command line", file: undefined };
  }
  const file = flags.config ?? await defaultFile();
  if (file === undefined) return { config: sampleConfig(), name: "the built-in sample", file };
  if (isEtcdUrl(file)) {
    const url = parseEtcdUrl(file);
    const isToRun = !flags.check && !flags.status && !flags.printPermissions;
    const { text, ...placed } = await readStored(url, isToRun, checksFiles, engineOf, stop);
    return { ...placed, name: url.name, file: undefined, stored: { url, text }, reads: filesOf(url) };
  }
  // What comes through a pipe has gone when it was read.
  const isRead = readsStdin(file) || await isPipe(file);
  const placed = await readPlacedConfig(file, checksFiles, engineOf);
  return { ...placed, name: readsStdin(file) ? STDIN : file, file: isRead ? undefined : file };
}

/** A balancer begins with what has passed the last rollout, where there was one: what is under the key may be about to be tried. */
async function readStored(
  url: EtcdUrl,
  isToRun: boolean,
  checksFiles: boolean,
  engineOf: EngineOf | undefined,
  stop: AbortSignal,
): Promise<PlacedConfig & { readonly text: string }> {
  const text = await readStoredText(url, stop);
  const passed = isToRun ? await readBeside(url, PASSED_SUFFIX, stop) : undefined;
  if (passed !== undefined && passed !== text) {
    try {
      const placed = await placeText(url.name + PASSED_SUFFIX, passed, checksFiles, engineOf);
      // Without a rollout nothing is to be tried.
      if (placed.config.fleet?.rollout !== undefined) return { ...placed, text: passed };
    } catch (error) {
      // It may be too old for this version, or this machine.
      if (!(error instanceof ConfigError)) throw error;
    }
  }
  return { ...await placeText(url.name, text, checksFiles, engineOf), text };
}

async function isPipe(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isFifo }) => isFifo === true, () => false);
}

async function defaultFile(): Promise<string | undefined> {
  try {
    await Deno.lstat(DEFAULT_FILE);
    return DEFAULT_FILE;
  } catch (error) {
    // Without the permission to look, there is nothing to be seen either.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
