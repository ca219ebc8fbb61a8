/** All that a configuration needs before it is put into force: its plan and its keys. Until then nothing has changed. */

import type { Config } from "../config/schema.ts";
import { RunError } from "../core/errors.ts";
import { checkedAddresses, watchedPools } from "./demands.ts";
import { STOPPING } from "./generation.ts";
import type { Given } from "./given_sockets.ts";
import type { Keys, ReadKeys } from "./keys.ts";
import type { Names } from "./names.ts";
import { waitForAnswer } from "./patience.ts";
import { whyNotCheckable } from "./permissions.ts";
import { makePlan, type Plan, type Running } from "./plan.ts";
import type { PortHold } from "./port_hold.ts";
import type { RowBook } from "./rows.ts";

/** What is to be put into force. Its plan's rows are in use until they are dropped. */
export interface Next {
  readonly plan: Plan;
  readonly config: Config;
  readonly keys: ReadKeys;
}

export interface PreparationOptions {
  readonly rows: RowBook;
  readonly names: Pick<Names, "of">;
  readonly ports: PortHold;
  readonly keys: Pick<Keys, "read">;
  /** Sockets that the first plan may use. */
  readonly given: Given | undefined;
  /** Aborted when the balancer is to stop, which no name that is being looked up holds up. */
  readonly stop: AbortSignal;
}

export class Preparation {
  readonly #options: PreparationOptions;

  constructor(options: PreparationOptions) {
    this.#options = options;
  }

  /**
   * Makes ready the first configuration, or the next.
   *
   * @param running What it takes the place of.
   * @param known Its keys, when they need not be read.
   * @throws {RunError} when something is not as it should be; then no row is in use for it.
   */
  async prepare(config: Config, running?: Running, known?: ReadKeys): Promise<Next> {
    const { rows, keys } = this.#options;
    const plan = await this.#plan(config, running);
    try {
      if (running !== undefined) checkCheckable(plan, config);
      return { plan, config, keys: known ?? await keys.read(config) };
    } catch (error) {
      rows.drop(plan.rows);
      throw error;
    }
  }

  async #plan(config: Config, running: Running | undefined): Promise<Plan> {
    const { rows, names, ports, given, stop } = this.#options;
    const planning = makePlan(config, rows, names, running, ports, given);
    await waitForAnswer(planning, Infinity, stop);
    if (!stop.aborted) return await planning;
    planning.then((plan) => rows.drop(plan.rows), () => {});
    throw new RunError(STOPPING);
  }
}

/** Throws when backends are to be checked that may not be dialled from here. */
function checkCheckable(plan: Plan, config: Config): void {
  const why = whyNotCheckable(watchedPools(plan, config).flatMap(checkedAddresses));
  if (why !== undefined) throw new RunError(why);
}
