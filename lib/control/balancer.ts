/** The control plane: from a configuration to a running data plane, through new configurations, to its end. */

import type { Config } from "../config/schema.ts";
import { formatAddress } from "../core/address.ts";
import type { Logger } from "../core/log.ts";
import type { LiveSessionFacts } from "../dataplane/messages.ts";
import type { EndReason } from "../dataplane/record.ts";
import type { WatchedPool } from "../health/backend_health.ts";
import { HealthMonitor } from "../health/monitor.ts";
import { Scoreboard } from "../pool/scoreboard.ts";
import { introduceBackends, setFacts } from "./facts.ts";
import { Generation } from "./generation.ts";
import { Journal } from "./journal.ts";
import { checkOpenFiles } from "./open_files.ts";
import { makePlan, type Plan, structureOf } from "./plan.ts";
import { RowBook } from "./rows.ts";
import { TotalsBook } from "./totals.ts";
import { checkWorkerModules, workerEntry } from "./worker_entry.ts";
import { WorkerNumbers } from "./worker_numbers.ts";

export interface BalancerOptions {
  readonly config: Config;
  readonly log: Logger;
  /** The module that workers start from; a test may put another one in its place. */
  readonly workerEntry?: string;
}

/** A balancer that runs. */
export class Balancer {
  readonly scoreboard: Scoreboard = new Scoreboard();
  readonly journal: Journal;
  readonly health: HealthMonitor;
  readonly totals: TotalsBook = new TotalsBook();
  /** Counts the generations that were started. */
  generationNumber = 0;
  readonly #options: BalancerOptions;
  readonly #rows = new RowBook(this.scoreboard);
  readonly #numbers = new WorkerNumbers();
  readonly #generations = new Set<Generation>();
  #config: Config;
  #current: Generation | undefined;
  /** Reloads follow one another. */
  #reloading: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  /** Nothing runs before {@linkcode Balancer.start}. */
  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#config = options.config;
    this.journal = new Journal(options.log);
    this.health = new HealthMonitor({
      scoreboard: this.scoreboard,
      log: this.journal,
      endSessions: (backend) => this.endSessions(backend, "backend_down"),
    });
  }

  /**
   * Starts; resolves when every worker accepts connections.
   *
   * @throws {RunError} when it cannot; then nothing is left running.
   */
  async start(): Promise<void> {
    const plan = await makePlan(this.#config, this.#rows);
    await checkWorkerModules();
    await checkOpenFiles(plan, this.#options.log);
    introduceBackends(this.scoreboard, plan, this.#config);
    this.#current = await this.#startGeneration(plan, this.#config);
    this.health.watch(watchedPools(plan, this.#config));
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config;
  }

  /** What the current generation runs. */
  get plan(): Plan {
    if (this.#current === undefined) throw new Error("Cannot tell the plan: the balancer was not started");
    return this.#current.plan;
  }

  /** Where it listens, in the order of the configuration, as `host:port` or `unix:/path`. */
  get addresses(): string[] {
    return this.plan.listeners.map(({ address }) => formatAddress(address));
  }

  /** Those that were started and have not come to their end, the oldest first. */
  get generations(): readonly Generation[] {
    return [...this.#generations];
  }

  /**
   * Puts another configuration into force. Sessions go on, and no connection is refused: new workers accept before the old
   * ones stop. Where the workers have nothing new to learn that they cannot learn while they work, they stay.
   *
   * @return What became of the workers.
   * @throws {RunError} when it cannot be done, such as for a port that is taken; then nothing has changed.
   */
  reload(config: Config): Promise<"kept" | "replaced"> {
    const reloading = this.#reloading.then(() => this.#apply(config));
    this.#reloading = reloading.catch(() => {});
    return reloading;
  }

  /** Ends the sessions at a backend, which is known by its row, in all generations. */
  endSessions(backend: number, reason: EndReason): void {
    for (const generation of this.#generations) generation.endSessions(backend, reason);
  }

  /** Sessions that go on, the oldest first, at most so many. */
  async sessions(limit: number): Promise<LiveSessionFacts[]> {
    const all = (await Promise.all(this.generations.map((it) => it.sessions(limit)))).flat();
    return all.sort((a, b) => b.age_ms - a.age_ms).slice(0, limit);
  }

  /**
   * Stops accepting, lets the sessions finish and closes those that are left at the shutdown timeout.
   *
   * @return How many had to be closed.
   */
  async stop(): Promise<number> {
    this.#isStopping = true;
    await this.#reloading;
    const closed = await Promise.all(this.generations.map((it) => it.drain(this.#config.shutdownTimeoutMs)));
    await this.health.stop();
    return closed.reduce((sum, count) => sum + count, 0);
  }

  async #apply(config: Config): Promise<"kept" | "replaced"> {
    const [before, current] = [this.#config, this.#current];
    if (this.#isStopping || current === undefined) return "kept";
    const plan = await makePlan(config, this.#rows, current.plan.settled);
    const isSame = structureOf(plan) === structureOf(current.plan) &&
      workersOf(config) === workersOf(before) && recordsOf(config) === recordsOf(before) &&
      (config.admin === undefined) === (before.admin === undefined);
    if (isSame) {
      current.adjust(plan);
      // The current plan has the same rows.
      this.#rows.drop(plan.rows);
    } else {
      introduceBackends(this.scoreboard, plan, config);
      this.#current = await this.#startGeneration(plan, config);
      await current.close(plan);
      void this.#retire(current, config.reloadDrainTimeoutMs);
    }
    this.#config = config;
    setFacts(this.scoreboard, this.plan, config, before);
    this.health.watch(watchedPools(this.plan, config));
    return isSame ? "kept" : "replaced";
  }

  /** Starts the next generation. Its plan's rows are dropped when it has ended, or cannot begin. */
  async #startGeneration(plan: Plan, config: Config): Promise<Generation> {
    const { log } = this.#options;
    try {
      const generation = await Generation.start({
        number: this.generationNumber + 1,
        plan,
        before: this.#current?.plan,
        workerEntry: this.#options.workerEntry ?? workerEntry,
        workers: workersOf(config),
        numbers: this.#numbers,
        scoreboard: this.scoreboard,
        recordSessions: recordsOf(config) && log.isEnabledFor("warning"),
        tallySessions: config.admin !== undefined,
        hears: {
          onFailing: (backend) => this.health.failing(backend),
          onTally: (entries) => this.totals.add(plan, entries),
        },
        log,
        journal: this.journal,
      });
      this.generationNumber++;
      this.#generations.add(generation);
      return generation;
    } catch (error) {
      this.#rows.drop(plan.rows);
      throw error;
    }
  }

  /** Lets the sessions of an old generation finish. */
  async #retire(generation: Generation, drainTimeoutMs: number): Promise<void> {
    const closed = await generation.drain(drainTimeoutMs === 0 ? Infinity : drainTimeoutMs);
    this.#generations.delete(generation);
    this.#rows.drop(generation.plan.rows);
    this.totals.keepOnly(this.generations.map((it) => it.plan));
    this.journal.info("generation_drained", { generation: generation.number, closed_sessions: closed });
  }
}

/**
 * Starts a balancer; resolves when every worker accepts connections.
 *
 * @throws {RunError} when it cannot; then nothing is left running.
 */
export async function startBalancer(options: BalancerOptions): Promise<Balancer> {
  const balancer = new Balancer(options);
  await balancer.start();
  for (const [i, { name, pool }] of options.config.listeners.entries()) {
    options.log.info("listening", { address: balancer.addresses[i], listener: name, pool });
  }
  options.log.info("ready", { workers: workersOf(options.config) });
  return balancer;
}

function workersOf({ workers }: Config): number {
  return workers === "auto" ? navigator.hardwareConcurrency : workers;
}

function recordsOf({ log }: Config): boolean {
  return log.sessions;
}

/** The pools of a plan with the rules of their health. */
function watchedPools(plan: Plan, config: Config): WatchedPool[] {
  return plan.pools.flatMap(({ row, name, backends }) => {
    const rules = config.pools[name];
    return rules === undefined ? [] : [{ row, name, backends, rules }];
  });
}
