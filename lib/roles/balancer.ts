/** The balancer role: from its flags to a configuration, and to a running balancer or a printed result. */

import type { BalancerFlags } from "../cli/flags.ts";
import { type Config, configJsonSchema } from "../config/schema.ts";
import { startBalancer } from "../control/balancer.ts";
import type { Journal } from "../control/journal.ts";
import { BalancerOperations } from "../control/operations.ts";
import { configAddresses } from "../control/plan.ts";
import { permissionFlags, programPermissions } from "../control/permissions.ts";
import { workerFlags } from "../control/worker_entry.ts";
import { reasonOf } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { LogFile } from "../core/log_file.ts";
import { type AdminPlan, AdminSide, planAdmin } from "./admin_side.ts";
import { chooseConfig, type ChosenConfig } from "./chosen_config.ts";
import { reload } from "./reload.ts";
import { runStatus } from "./status.ts";
import { startStderrLog, stopped, type Terminal } from "./terminal.ts";
import { watchFile } from "./watch_file.ts";
import { giveUpWriting } from "./write_permission.ts";

/** Runs until the user stops it, or prints what was asked for. */
export async function runBalancerRole(flags: BalancerFlags, terminal: Terminal): Promise<void> {
  if (flags.printSchema) return await terminal.print(JSON.stringify(configJsonSchema(), null, 2) + "\n");
  if (flags.status) return await runStatus(flags, terminal);
  const chosen = await chooseConfig(flags);
  const { config } = chosen;
  if (flags.check) {
    const notes = config.notes.map((note) => `${note}\n`).join("");
    return await terminal.print(`${notes}${chosen.name}: ok (${summary(config)})\n`);
  }
  if (flags.printPermissions) {
    const files = chosen.file === undefined ? [] : [chosen.file];
    const needed = await programPermissions(config, files, flags.watch);
    return await terminal.print([...workerFlags, ...permissionFlags(needed)].join(" ") + "\n");
  }
  const admin = config.admin === undefined ? [] : [config.admin.listen];
  await giveUpWriting(
    [...configAddresses(config), ...admin],
    config.log.file === undefined ? [] : [config.log.file],
  );
  await run(chosen, flags, terminal);
}

async function run(
  { config, name, file }: ChosenConfig,
  flags: BalancerFlags,
  terminal: Terminal,
): Promise<void> {
  const sessions = config.log.file === undefined ? undefined : await LogFile.open(config.log.file);
  const running = startStderrLog(
    flags.logLevel ?? config.log.level,
    flags.logFormat ?? config.log.format,
    sessions,
  );
  try {
    log.info("starting", { config: name });
    for (const note of config.notes) log.warn("config_note", { note });
    const complete = (it: Config): Config => ({ ...it, workers: flags.workers ?? it.workers });
    // A signal that comes before there is anything to reload is not lost, and ends nothing.
    let reloadNow = (): void => void (isReloadWanted = true);
    let isReloadWanted = false;
    terminal.onSignal("SIGHUP", () => reloadNow());
    const balancer = await startBalancer({ config: complete(config), log });
    const admin = new AdminSide(balancer.journal);
    const operations: BalancerOperations = new BalancerOperations({
      balancer,
      version: terminal.version,
      config: name,
      log: running,
      reload: () =>
        reload({
          balancer,
          file,
          complete,
          // The request that has asked for it is answered by the admin side as it was.
          onReloaded: (plan) => void admin.follow(plan, operations),
        }),
    });
    await admin.follow(await adminPlan(config, balancer.journal), operations);
    reloadNow = () => void operations.reload();
    if (isReloadWanted) reloadNow();
    if (sessions !== undefined) {
      terminal.onSignal("SIGUSR1", () => void reopen(sessions));
      terminal.onSignal("SIGUSR2", () => void reopen(sessions));
    }
    if (flags.watch && file !== undefined) void watchFile(file, reloadNow, terminal.stop);
    await stopped(terminal.stop);
    log.info("stopping", { shutdown_timeout_ms: balancer.config.shutdownTimeoutMs });
    const closed = await balancer.stop();
    operations.stop();
    await admin.stop();
    log.info("stopped", { closed_sessions: closed });
  } finally {
    await running.close();
    sessions?.close();
  }
}

/** Traffic does not wait for a token. */
async function adminPlan(config: Config, journal: Journal): Promise<AdminPlan | undefined> {
  try {
    return await planAdmin(config);
  } catch (error) {
    journal.error("admin_failed", { reason: reasonOf(error) });
    return undefined;
  }
}

/** The file has been moved away, as logrotate does. */
async function reopen(sessions: LogFile): Promise<void> {
  try {
    await sessions.reopen();
    log.info("log_reopened", {});
  } catch (error) {
    log.error("log_not_reopened", { reason: reasonOf(error) });
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
