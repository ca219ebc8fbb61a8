/** Which configuration a balancer runs: a file, what the command line says, or the built-in sample. */

import type { BalancerFlags } from "../cli/flags.ts";
import { readConfig } from "../config/read.ts";
import type { Config } from "../config/schema.ts";
import { configOf, sampleConfig } from "../config/sources.ts";
import { InputError } from "../core/errors.ts";

/** The configuration that is used when the command line names none and this file exists. */
const DEFAULT_FILE = "balancer.yaml";

export interface ChosenConfig {
  readonly config: Config;
  /** How messages call it. */
  readonly name: string;
  /** Undefined when it did not come from a file. */
  readonly file: string | undefined;
}

/**
 * Chooses and reads it.
 *
 * @throws {InputError} when it cannot be read, or the flags contradict each other.
 */
export async function chooseConfig(flags: BalancerFlags): Promise<ChosenConfig> {
  const isShort = flags.listen !== undefined || flags.backends.length > 0 || flags.algorithm !== undefined;
  if (isShort) {
    if (flags.config !== undefined) {
      throw new InputError("--config cannot be used together with --listen, --backend or --algorithm");
    }
    return { config: configOf(flags), name: "the command line", file: undefined };
  }
  const file = flags.config ?? await defaultFile();
  if (file === undefined) return { config: sampleConfig(), name: "the built-in sample", file };
  return { config: await readConfig(file), name: file, file };
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
