/** The balancer role: from its flags to a configuration, and to a running balancer or a printed result. */

import type { BalancerFlags } from "../cli/flags.ts";
import { ConfigError } from "../config/parse.ts";
import { readConfig } from "../config/read.ts";
import { type Config, configJsonSchema } from "../config/schema.ts";
import { configOf, sampleConfig } from "../config/sources.ts";
import { type Balancer, startBalancer } from "../control/balancer.ts";
import { configAddresses } from "../control/plan.ts";
import { permissionFlags, programPermissions } from "../control/permissions.ts";
import { workerFlags } from "../control/worker_entry.ts";
import { InputError, reasonOf } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { startStderrLog, stopped, type Terminal } from "./terminal.ts";
import { giveUpWriting } from "./write_permission.ts";

/** The configuration that is used when the command line names none and this file exists. */
const DEFAULT_FILE = "balancer.yaml";

interface ChosenConfig {
  readonly config: Config;
  /** How messages call it. */
  readonly name: string;
  /** Undefined when it did not come from a file. */
  readonly file: string | undefined;
}

/** Runs until the user stops it, or prints what was asked for. */
export async function runBalancerRole(flags: BalancerFlags, terminal: Terminal): Promise<void> {
  if (flags.printSchema) return await terminal.print(JSON.stringify(configJsonSchema(), null, 2) + "\n");
  const chosen = await chooseConfig(flags);
  const { config } = chosen;
  if (flags.check) {
    const notes = config.notes.map((note) => `${note}\n`).join("");
    return await terminal.print(`${notes}${chosen.name}: ok (${summary(config)})\n`);
  }
  if (flags.printPermissions) {
    const files = chosen.file === undefined ? [] : [chosen.file];
    const flags = [...workerFlags, ...permissionFlags(await programPermissions(config, files))];
    return await terminal.print(flags.join(" ") + "\n");
  }
  await giveUpWriting(configAddresses(config));
  await run(chosen, flags, terminal);
}

async function run(
  { config, name, file }: ChosenConfig,
  flags: BalancerFlags,
  terminal: Terminal,
): Promise<void> {
  const running = startStderrLog(flags.logLevel ?? config.log.level, flags.logFormat ?? config.log.format);
  try {
    log.info("starting", { config: name });
    for (const note of config.notes) log.warn("config_note", { note });
    const balancer = await startBalancer({ config: withFlags(config, flags), log });
    terminal.onHangup(() => void reload(balancer, file, flags));
    await stopped(terminal.stop);
    log.info("stopping", { shutdown_timeout_ms: config.shutdownTimeoutMs });
    log.info("stopped", { closed_sessions: await balancer.stop() });
  } finally {
    await running.close();
  }
}

/** What the command line says holds, whatever the file says. */
function withFlags(config: Config, flags: BalancerFlags): Config {
  return { ...config, workers: flags.workers ?? config.workers };
}

/** Reads the file again and puts it into force; when that cannot be, nothing changes, and the log says why. */
async function reload(balancer: Balancer, file: string | undefined, flags: BalancerFlags): Promise<void> {
  const { journal } = balancer;
  if (file === undefined) {
    return journal.warn("reload_failed", { reason: "there is no configuration file to read again" });
  }
  try {
    const config = withFlags(await readConfig(file), flags);
    const workers = await balancer.reload(config);
    for (const note of config.notes) journal.warn("config_note", { note });
    journal.info("reloaded", { config: file, workers, generation: balancer.generationNumber });
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const fault of error.message.split("\n")) journal.error("reload_failed", { reason: fault });
    } else {
      journal.error("reload_failed", { reason: reasonOf(error) });
    }
  }
}

async function chooseConfig(flags: BalancerFlags): Promise<ChosenConfig> {
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

function summary(config: Config): string {
  const pools = Object.values(config.pools);
  const backends = pools.reduce((sum, pool) => sum + pool.backends.length, 0);
  const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  return [
    counted(config.listeners.length, "listener"),
    counted(pools.length, "pool"),
    counted(backends, "backend"),
  ]
    .join(", ");
}
