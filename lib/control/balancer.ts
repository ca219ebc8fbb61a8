/** The control plane: from a configuration to a running data plane, and to its end. */

import type { Config } from "../config/schema.ts";
import { formatAddress } from "../core/address.ts";
import type { Logger } from "../core/log.ts";
import { Scoreboard } from "../pool/scoreboard.ts";
import { Generation, type GenerationOptions } from "./generation.ts";
import { socketPermissions } from "./permissions.ts";
import { checkOpenFiles } from "./open_files.ts";
import { makePlan, type Plan, planAddresses } from "./plan.ts";
import { checkWorkerModules, workerEntry } from "./worker_entry.ts";

export interface BalancerOptions {
  readonly config: Config;
  readonly log: Logger;
  /** The module that workers start from; a test may put another one in its place. */
  readonly workerEntry?: string;
}

/** A balancer that runs. */
export class Balancer {
  /** Where it listens, in the order of the configuration, as `host:port` or `unix:/path`. */
  readonly addresses: readonly string[];
  readonly scoreboard: Scoreboard;
  readonly #generation: Generation;
  readonly #shutdownTimeoutMs: number;

  constructor(plan: Plan, generation: Generation, scoreboard: Scoreboard, shutdownTimeoutMs: number) {
    this.addresses = plan.listeners.map(({ address }) => formatAddress(address));
    this.scoreboard = scoreboard;
    this.#generation = generation;
    this.#shutdownTimeoutMs = shutdownTimeoutMs;
  }

  /**
   * Stops accepting, lets the sessions finish and closes those that are left at the shutdown timeout.
   *
   * @return How many had to be closed.
   */
  async stop(): Promise<number> {
    return await this.#generation.drain(this.#shutdownTimeoutMs);
  }
}

/**
 * Starts a balancer; resolves when every worker accepts connections.
 *
 * @throws {RunError} when it cannot; then nothing is left running.
 */
export async function startBalancer({ config, log, ...options }: BalancerOptions): Promise<Balancer> {
  const workers = config.workers === "auto" ? navigator.hardwareConcurrency : config.workers;
  const plan = await makePlan(config, workers);
  await checkWorkerModules();
  await checkOpenFiles(plan, log);
  const scoreboard = new Scoreboard(plan.shape);
  const generation = await Generation.start({
    workerEntry: options.workerEntry ?? workerEntry,
    workers,
    scoreboard,
    permissions: socketPermissions(planAddresses(plan)),
    planeOptions: planeOptionsFor(plan, scoreboard, config.log.sessions && log.isEnabledFor("warning")),
    log,
  });
  const balancer = new Balancer(plan, generation, scoreboard, config.shutdownTimeoutMs);
  for (const [i, { name, pool }] of config.listeners.entries()) {
    log.info("listening", { address: balancer.addresses[i], listener: name, pool });
  }
  log.info("ready", { workers });
  return balancer;
}

/** What each worker is told. Every call is a new worker, with session ids that no other has. */
function planeOptionsFor(
  plan: Plan,
  scoreboard: Scoreboard,
  recordSessions: boolean,
): GenerationOptions["planeOptions"] {
  const random = Math.floor(Math.random() * 36 ** 2).toString(36).padStart(2, "0");
  const run = Date.now().toString(36) + random;
  let started = 0;
  return (worker) => ({
    worker,
    sessionIdPrefix: `${run}-${++started}-`,
    // A Unix socket cannot be shared between threads: the first worker has it.
    listeners: plan.listeners.filter(({ address }) => address.transport === "tcp" || worker === 0),
    pools: plan.pools,
    scoreboard: { buffer: scoreboard.buffer, shape: scoreboard.shape },
    recordSessions,
  });
}
