/** The balancer role: from its flags to a configuration, and to a running balancer or a printed result. */

import type { BalancerFlags } from "../cli/flags.ts";
import { engineAsked, type EngineOf, needsEpoll } from "../config/engine_checks.ts";
import type { FileRead } from "../config/read.ts";
import { editorJsonSchema } from "../config/editor_schema.ts";
import { Balancer } from "../control/balancer.ts";
import { engineFor, enginePermissions, whyNoEngine } from "../control/engine_host.ts";
import { logNotes } from "../control/config_notes.ts";
import { BalancerOperations } from "../control/operations.ts";
import { type Overrides, withOverrides } from "../control/in_force.ts";
import { permissionFlags, programPermissions } from "../control/permissions.ts";
import { Reloader } from "../control/reload.ts";
import { sourceNotes } from "../control/source_notes.ts";
import { touchedBy, withServers } from "../control/touched.ts";
import { watchConfig } from "../control/watch_config.ts";
import { whyTooLarge } from "../control/size.ts";
import { workerFlags } from "../control/worker_entry.ts";
import { formatAddress } from "../core/address.ts";
import { InputError, reasonOf } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { givenByManager, sayUnused } from "./activation.ts";
import { AdminSide, keepAdminCode, planAdmin } from "./admin_side.ts";
import { chooseConfig, type ChosenConfig } from "./chosen_config.ts";
import { isConfigReached } from "./config_reached.ts";
import { FollowedConfig } from "./followed_config.ts";
import { notifySocket, reloadsTold, ServiceManager } from "./service_manager.ts";
import { openSessionLog, type SessionLog } from "./session_log.ts";
import { faultAt, withPlace } from "./start_failure.ts";
import { runStatus } from "./status.ts";
import { beginTakeOver, finishTakeOver, type TakeOverPlace, whereToTakeOver } from "./take_over.ts";
import { startStderrLog, stopped, type Terminal } from "./terminal.ts";
import { giveUpForeignFunctions, giveUpWriting } from "./given_up.ts";

/** Runs until the user stops it, or prints what was asked for. */
export async function runBalancerRole(flags: BalancerFlags, terminal: Terminal): Promise<void> {
  if (flags.printSchema) return await terminal.print(JSON.stringify(editorJsonSchema(), null, 2) + "\n");
  if (flags.json && !flags.status) throw new InputError("--json goes with --status");
  if (flags.status) {
    // With its terminal gone there is nothing to show it on.
    terminal.onSignal("SIGHUP", terminal.requestStop);
    return await runStatus(flags, terminal);
  }
  const engineOf: EngineOf = (asked) => engineFor(flags.engine ?? asked);
  const { stop } = terminal;
  const isToRun = !flags.check && !flags.printPermissions;
  if (isToRun && !await isConfigReached(flags, stop)) return;
  const choosing = flags.printPermissions
    ? chooseConfig(flags, false, (asked) => engineAsked(flags.engine ?? asked), stop)
    : chooseConfig(flags, true, engineOf, stop);
  const chosen = await choosing.catch((error) => {
    // A start that is stopped is done; a check that is stopped has found nothing out.
    if (isToRun && stop.aborted) return undefined;
    throw error;
  });
  if (chosen === undefined) return;
  const config = withOverrides(chosen.config, overridesOf(flags));
  const tooLarge = whyTooLarge(config);
  if (tooLarge !== undefined) throw faultAt(["pools"], tooLarge, chosen);
  const noEngine = flags.printPermissions ? undefined : whyNoEngine(config.engine);
  if (noEngine !== undefined) {
    throw flags.engine === undefined ? faultAt(["engine"], noEngine, chosen) : new InputError(noEngine);
  }
  if (flags.check) {
    return await terminal.print(checkReport(chosen));
  }
  if (flags.printPermissions) {
    // What auto stands for is decided by the permission itself: asked for or not.
    const engine = config.engine === "epoll" || (config.engine === "auto" && needsEpoll(config))
      ? "epoll"
      : "runtime";
    const touched = withServers(touchedBy(config, chosen.reads, engine), chosen.stored?.url);
    const needed = await programPermissions(touched);
    await sayIncomplete(needed.unresolved, touched.discovering);
    const permissions = { ...needed, ...await enginePermissions(engine), env: chosen.variables ?? [] };
    return await terminal.print([...workerFlags, ...permissionFlags(permissions)].join(" ") + "\n");
  }
  const place = flags.takeOver ? await whereToTakeOver(flags, chosen, config) : undefined;
  await giveUpWriting(touchedBy(config), place !== undefined || notifySocket() !== undefined);
  try {
    await run(chosen, flags, terminal, place);
  } catch (error) {
    throw withPlace(error, chosen);
  }
}

/** What the file may say, but probably does not mean. */
function notesOn({ config, describe }: ChosenConfig): string[] {
  return [...config.notes, ...(describe === undefined ? [] : sourceNotes({ config, describe }))];
}

/** What the command line says, whatever the file says. */
function overridesOf({ workers, engine, logLevel, logFormat }: BalancerFlags): Overrides {
  return { workers, engine, logLevel, logFormat };
}

async function run(
  chosen: ChosenConfig,
  flags: BalancerFlags,
  terminal: Terminal,
  place: TakeOverPlace | undefined,
): Promise<void> {
  const { config: read, name, file, stored } = chosen;
  const overrides = overridesOf(flags);
  const config = withOverrides(read, overrides);
  const sessions = await openSessionLog(config.log.file);
  const running = startStderrLog(config.log.level, config.log.format, sessions);
  try {
    log.info("starting", { config: name });
    logNotes(notesOn(chosen), log);
    const before = place === undefined ? undefined : await beginTakeOver(place);
    const given = before?.given ?? givenByManager(engineFor(config.engine), log);
    const whenListening = async (): Promise<void> => {
      const unused = balancer.engine.book?.closeUnused() ?? [];
      if (place === undefined) return sayUnused(unused, log);
      await finish(place, unused.map(({ address }) => formatAddress(address)), before?.pid);
    };
    const balancer = new Balancer({ config, log, whenListening, ...(given === undefined ? {} : { given }) });
    if (balancer.engine.name === "runtime") await giveUpForeignFunctions();
    running.reportTo(balancer.journal);
    const admin = new AdminSide(balancer.journal);
    const followed = stored === undefined
      ? undefined
      : new FollowedConfig({ ...stored, follows: flags.watch, balancer, operations: () => operations });
    const manager = new ServiceManager({ log, monotonicUs: () => balancer.engine.monotonicUs() });
    const handedOver = new AbortController();
    // What comes then is for the process that has the sockets: a change that is tried here would only fail.
    const leaving = AbortSignal.any([terminal.stop, handedOver.signal]);
    const operations: BalancerOperations = new BalancerOperations({
      balancer,
      version: terminal.version,
      config: name,
      log: running,
      admin: () => admin.inForce,
      ...(followed === undefined ? {} : { rollout: () => followed.status() }),
      onHandedOver: () => handedOver.abort(),
      reloads: reloadsTold(
        manager,
        new Reloader({
          balancer,
          file: stored?.url.name ?? file,
          name,
          read,
          ...(followed === undefined ? {} : {
            readAgain: (engineOf) => followed.read(engineOf, leaving),
            onInForce: () => followed.inForce(),
          }),
          overrides,
          log: running,
          prepareAdmin: async (it) => {
            const plan = await planAdmin(it);
            return () => admin.follow(plan, operations);
          },
        }),
      ),
    });
    const finish = async (at: TakeOverPlace, unused: readonly string[], pid?: number): Promise<void> => {
      const plan = await planAdmin(config);
      const isSame = plan !== undefined && formatAddress(plan.listen) === formatAddress(at.address);
      const reason = await finishTakeOver(at, unused, () => admin.start(plan, operations, isSame));
      if (reason !== undefined) {
        return balancer.journal.warn("taken_over", {
          pid,
          reason: `the one before may still accept: ${reason}`,
        });
      }
      balancer.engine.book?.own();
      balancer.journal.info("taken_over", { pid, unused: unused.length });
    };
    try {
      if (file !== undefined || stored !== undefined) void keepAdminCode();
      // From the beginning, so that what is written while the balancer starts is not missed.
      if (flags.watch && file !== undefined) {
        void watchConfig(file, () => void operations.reload(), leaving);
      }
      // Before there can be orders, which are written to the same file.
      await operations.restore();
      // Listens before the data plane does, so that it can say that the balancer starts.
      if (place === undefined) await admin.start(await planAdmin(config), operations);
      await balancer.start();
      before?.close();
      // From here on sessions depend on this process: a fault of our own is told, and ends nothing.
      terminal.onFault((reason) => balancer.journal.error("internal_error", { reason: reasonOf(reason) }));
      handleSignals(terminal, operations, sessions);
      const following = followed?.follow(leaving);
      manager.ready("Serves", place !== undefined);
      await stopped(leaving);
      // The service goes on, in the process that has the sockets.
      if (!handedOver.signal.aborted) manager.stopping();
      const { shutdownDelayMs, shutdownTimeoutMs } = balancer.config;
      log.info("stopping", { shutdown_delay_ms: shutdownDelayMs, shutdown_timeout_ms: shutdownTimeoutMs });
      const [closed] = await Promise.all([balancer.stop(terminal.hurry), operations.leaveFleet()]);
      await following;
      await admin.stop();
      await manager.told();
      log.info("stopped", { closed_sessions: closed });
    } finally {
      before?.close();
      await operations.stop();
      await admin.stop();
    }
  } finally {
    await running.close();
    sessions?.close();
  }
}

/** What the list of permissions lacks; on stderr, since the list itself is read by programs. */
async function sayIncomplete(unresolved: readonly string[], discovering: readonly string[]): Promise<void> {
  if (unresolved.length + discovering.length === 0) return;
  const running = startStderrLog("warn", "text");
  for (const reason of unresolved) {
    log.warn("permissions_incomplete", { reason, advice: "print them again when the name can be resolved" });
  }
  for (const pool of discovering) {
    const reason = `where pool ${pool} discovers its backends is not known`;
    log.warn("permissions_incomplete", {
      reason,
      advice: "write within, or give --allow-net without a list",
    });
  }
  await running.close();
}

/** Signals that came before are handled now. */
function handleSignals(
  terminal: Terminal,
  operations: BalancerOperations,
  sessions: SessionLog | undefined,
): void {
  terminal.onSignal("SIGHUP", () => void operations.reload());
  terminal.onSignal("SIGUSR1", () => void reopen(sessions));
  terminal.onSignal("SIGUSR2", () => void reopen(sessions));
}

/** The file has been moved away, as logrotate does. */
async function reopen(sessions: SessionLog | undefined): Promise<void> {
  if (sessions === undefined) {
    const reason = "there was no log.file at the start, so session records go to stderr";
    return log.info("log_not_reopened", { reason });
  }
  try {
    await sessions.reopen();
    log.info("log_reopened", {});
  } catch (error) {
    log.error("log_not_reopened", { reason: reasonOf(error) });
  }
}

/** The notes, what of several files is in which, and that all is well. */
function checkReport(chosen: ChosenConfig): string {
  const { config, name, files = [] } = chosen;
  const pools = Object.values(config.pools);
  const whole = summary({
    listeners: config.listeners.length,
    pools: pools.length,
    backends: pools.reduce((sum, pool) => sum + pool.backends.length, 0),
  }, config.listeners.filter(({ flows }) => flows !== undefined).length);
  const sources = pools.filter(({ discover }) => discover !== undefined).length;
  const discovering = sources === 0 ? "" : `, ${sources} discovering pool${sources === 1 ? "" : "s"}`;
  const parts = files.length > 1 ? files : [];
  const inFiles = parts.length > 0 ? `, in ${parts.length} files` : "";
  return [
    ...notesOn(chosen),
    ...parts.map((file) => `${file.name}: ${summary(file) || "no listener, no pool"}`),
    `${name}: ok (${whole}${discovering}${inFiles})`,
  ].map((line) => `${line}\n`).join("");
}

/** As `2 listeners (1 on UDP), 2 pools, 3 backends`; what there is none of is left out. */
function summary({ listeners, pools, backends }: Omit<FileRead, "name">, onUdp = 0): string {
  const counts = [[listeners, "listener", onUdp], [pools, "pool", 0], [backends, "backend", 0]] as const;
  return counts.filter(([count]) => count > 0)
    .map(([count, what, udp]) =>
      `${count} ${what}${count === 1 ? "" : "s"}${udp > 0 ? ` (${udp} on UDP)` : ""}`
    )
    .join(", ");
}
