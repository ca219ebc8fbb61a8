/** Reading the configuration again, and putting it into force. */

import type { Reloaded } from "../admin/operations.ts";
import { ConfigError } from "../config/parse.ts";
import { readConfig } from "../config/read.ts";
import type { Config } from "../config/schema.ts";
import type { Balancer } from "../control/balancer.ts";
import { type AdminPlan, planAdmin } from "./admin_side.ts";
import { reasonOf } from "../core/errors.ts";

export interface ReloadOptions {
  readonly balancer: Balancer;
  /** Undefined when the configuration did not come from a file. */
  readonly file: string | undefined;
  /** Adds what the command line says. */
  readonly complete: (config: Config) => Config;
  /** Told, and not waited for, when a new configuration is in force. */
  readonly onReloaded: (admin: AdminPlan | undefined) => void;
}

/** Reads the file again; when it cannot be put into force, nothing changes. The log says what became of it either way. */
export async function reload({ balancer, file, complete, onReloaded }: ReloadOptions): Promise<Reloaded> {
  const { journal } = balancer;
  if (file === undefined) {
    const message = "there is no configuration file to read again";
    journal.warn("reload_failed", { reason: message });
    return { ok: false, message, faults: [] };
  }
  try {
    const config = complete(await readConfig(file));
    const admin = await planAdmin(config);
    const workers = await balancer.reload(config);
    for (const note of config.notes) journal.warn("config_note", { note });
    const { generationNumber: generation } = balancer;
    journal.info("reloaded", { config: file, workers, generation });
    onReloaded(admin);
    return { ok: true, message: `${file} is in force; workers ${workers}, generation ${generation}` };
  } catch (error) {
    const faults = error instanceof ConfigError ? error.message.split("\n") : [reasonOf(error)];
    for (const fault of faults) journal.error("reload_failed", { reason: fault });
    return { ok: false, message: "nothing has changed", faults };
  }
}
