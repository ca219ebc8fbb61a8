/** The names of the backends of a balancer: looked up with each configuration, and again while some have no address. */

import type { Config } from "../config/schema.ts";
import { hasName } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import type { Journal } from "./journal.ts";
import { NameRetries, type NameRetriesOptions } from "./name_retries.ts";
import { Names } from "./names.ts";
import { backendNames, type Plan, unresolvedOf } from "./plan.ts";

export interface BackendNamesOptions extends Pick<NameRetriesOptions, "sleep"> {
  /** What names stand for; a test may put another one in its place. */
  readonly names?: Names | undefined;
  readonly journal: Journal;
  /** The plan in force. */
  readonly plan: () => Plan;
  /** Makes a new plan of the configuration in force, and puts it into force. */
  readonly apply: () => Promise<unknown>;
}

/** What is done with a backend whose name is not resolved any more, because no name server answers. */
const LAST_ADDRESSES = "its last addresses stay in use; reload when name servers answer again";

export class BackendNames {
  readonly names: Names;
  readonly #options: BackendNamesOptions;
  readonly #retries: NameRetries;
  #isStopped = false;

  constructor(options: BackendNamesOptions) {
    const { names = new Names(), plan, sleep } = options;
    this.names = names;
    this.#options = options;
    this.#retries = new NameRetries({
      names,
      unresolved: () =>
        unresolvedOf(plan()).flatMap(({ backend: { address, unresolved: reason = "" } }) => {
          return hasName(address) ? [{ address, reason }] : [];
        }),
      apply: () => this.#applyAgain(),
      ...(sleep === undefined ? {} : { sleep }),
    });
  }

  /** Looks up all names of a configuration, and logs those that keep their last addresses. Never rejects. */
  async lookUp(config: Config): Promise<void> {
    const addresses = backendNames(config);
    await this.names.refresh(addresses);
    const reasons = new Set(addresses.map((address) => this.names.staleReason(address)));
    for (const reason of reasons) {
      if (reason !== undefined) this.#options.journal.warn("name_stale", { reason, advice: LAST_ADDRESSES });
    }
  }

  /** Another configuration is in force. */
  follow(config: Config): void {
    this.names.keepOnly(backendNames(config));
    this.#retries.follow();
  }

  /** Ends lookups and retries. */
  stop(): void {
    this.#isStopped = true;
    this.#retries.stop();
    this.names.stop();
  }

  /** Some names have been resolved. */
  async #applyAgain(): Promise<void> {
    const { plan, apply, journal } = this.#options;
    const before = unresolvedOf(plan());
    try {
      await apply();
    } catch (error) {
      if (!this.#isStopped) journal.error("name_not_applied", { reason: reasonOf(error) });
      return;
    }
    const after = new Set(unresolvedOf(plan()).map(({ backend }) => backend.row));
    for (const { pool, backend } of before) {
      if (!after.has(backend.row)) journal.info("name_resolved", { pool, backend: backend.name });
    }
  }
}
