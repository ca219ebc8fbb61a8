/** How a configuration comes into force: by the workers that run, where they can follow it, or else by new ones. */

import type { Config } from "../config/schema.ts";
import type { EngineName } from "../config/engine_names.ts";
import { RunError } from "../core/errors.ts";
import type { HealthMonitor } from "../health/monitor.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";
import type { BackendNames } from "./backend_names.ts";
import { checkConfinement } from "./confinement.ts";
import { drainTimeoutOf, fileNeeds, watchedPools } from "./demands.ts";
import { introduceBackends, setFacts } from "./facts.ts";
import { type Generation, STOPPING } from "./generation.ts";
import type { Generations } from "./generations.ts";
import type { Keys, ReadKeys } from "./keys.ts";
import type { Membership } from "./membership.ts";
import type { OpenFiles } from "./open_files.ts";
import { canFollow, partsOf } from "./parts.ts";
import { NO_PLAN } from "./plan.ts";
import type { PlansInUse } from "./plans_in_use.ts";
import type { PoolStates } from "./pool_states.ts";
import type { Next, Preparation } from "./preparation.ts";
import type { RowBook } from "./rows.ts";

/** What goes by the configuration in force. */
export interface ConfigChangesOptions {
  readonly scoreboard: Scoreboard;
  readonly rows: RowBook;
  readonly engine: EngineName;
  readonly preparation: Preparation;
  readonly names: BackendNames;
  readonly keys: Keys;
  readonly membership: Membership;
  readonly generations: Generations;
  readonly plansInUse: PlansInUse;
  readonly openFiles: OpenFiles;
  readonly poolStates: PoolStates;
  readonly health: HealthMonitor;
  /** Whether the balancer is to stop, or another process has its place: nothing comes into force any more. */
  readonly isOver: () => boolean;
  /** Called at the start when all workers listen and none accepts yet; when it rejects, the start fails. */
  readonly whenListening: (() => Promise<void>) | undefined;
}

/** One at a time: who calls it sees to that. */
export class ConfigChanges {
  readonly #options: ConfigChangesOptions;

  constructor(options: ConfigChangesOptions) {
    this.#options = options;
  }

  /**
   * Puts the first one into force; resolves when its workers accept.
   *
   * @throws {RunError} when they cannot be started.
   */
  async begin(next: Next): Promise<void> {
    const { keys, poolStates, health, names, openFiles } = this.#options;
    const { plan, config } = next;
    openFiles.begin(fileNeeds(config));
    await this.#startGeneration(next);
    keys.follow(config, next.keys);
    poolStates.follow(plan.pools);
    health.watch(watchedPools(plan, config), next.keys.keys.pools);
    names.follow(config);
  }

  /** As {@linkcode ConfigChanges.apply}, with the names of its backends looked up before. */
  async lookUpAndApply(
    written: Config,
    known?: ReadKeys,
    beforeReplacing?: () => void,
  ): Promise<"kept" | "replaced"> {
    const { membership, names } = this.#options;
    const { config } = membership.join(written);
    // With its keys known, only members have changed.
    await (known === undefined ? names.lookUp(config) : names.lookUpNew(config));
    return await this.apply(written, known, beforeReplacing);
  }

  /**
   * Puts another one into force.
   *
   * @param known Its keys, when they need not be read: whatever has become of the files, a name that moves is followed.
   * @param beforeReplacing Called when new workers are needed, before they are started; what it throws ends this.
   * @return What became of the workers.
   * @throws {RunError} when it cannot be done; then nothing has changed.
   */
  async apply(
    written: Config,
    known?: ReadKeys,
    beforeReplacing?: () => void,
  ): Promise<"kept" | "replaced"> {
    const { scoreboard, engine, preparation, names, keys, membership, generations } = this.#options;
    const { plansInUse, openFiles, poolStates, health, isOver } = this.#options;
    const [before, current] = [membership.config, generations.current];
    if (isOver()) throw new RunError(STOPPING);
    if (current === undefined) throw new RunError("the balancer could not be started");
    const joined = membership.join(written);
    const [{ config }, { plan: planBefore }] = [joined, current];
    checkConfinement(engine, config.confinement);
    const running = { plan: planBefore, config: before, lingering: generations.lingering };
    const next = await preparation.prepare(config, running, known);
    const { plan } = next;
    const isKept = canFollow(partsOf(planBefore, before), partsOf(plan, config), current.permitted) &&
      // A file that was removed comes back with new workers; a change of members alone is no time for that.
      (known !== undefined || await current.isInPlace());
    if (isKept) await this.#adjust(current, next);
    else await this.#replace(current, next, beforeReplacing);
    membership.follow(written, joined, planBefore, plan);
    keys.follow(config, next.keys);
    plansInUse.begin(plan);
    if (drainTimeoutOf(config) !== drainTimeoutOf(before)) generations.limitLingering(config);
    openFiles.follow(fileNeeds(config));
    setFacts(scoreboard, plan, config, before);
    poolStates.follow(plan.pools);
    health.watch(watchedPools(plan, config), next.keys.keys.pools);
    names.follow(config);
    return isKept ? "kept" : "replaced";
  }

  /** The same workers go by another plan. */
  async #adjust(generation: Generation, { plan, config, keys }: Next): Promise<void> {
    const { scoreboard, membership, plansInUse } = this.#options;
    const before = generation.plan;
    introduceBackends(scoreboard, plan, config, before, membership.wishes);
    await generation.adjust(plan);
    await generation.renew(keys.keys);
    plansInUse.end(before);
  }

  /** New workers go by another plan, and the old ones let their sessions finish. */
  async #replace(generation: Generation, next: Next, beforeReplacing?: () => void): Promise<void> {
    const { health, generations } = this.#options;
    const { plan, config } = next;
    await this.#startGeneration(next, beforeReplacing);
    // New backends get sessions from now on.
    health.watch(watchedPools(plan, config), next.keys.keys.pools);
    await generations.retire(generation, plan, drainTimeoutOf(config));
  }

  /** Starts the next generation. Its plan's rows are dropped when it has ended, or cannot begin. */
  async #startGeneration({ plan, config, keys }: Next, beforeStart?: () => void): Promise<void> {
    const { scoreboard, membership, generations, rows, whenListening } = this.#options;
    try {
      beforeStart?.();
      // Until then the workers in force go on with the facts that they have.
      const introduce = async (): Promise<void> => {
        if (generations.current === undefined) await whenListening?.();
        const before = generations.current?.plan ?? NO_PLAN;
        introduceBackends(scoreboard, plan, config, before, membership.wishes);
      };
      await generations.start(plan, config, keys.keys, introduce);
    } catch (error) {
      rows.drop(plan.rows);
      throw error;
    }
  }
}
