// deno-lint-ignore-file no-await-in-loop -- one look after the other

/** The names of the backends of a balancer: looked up with each configuration, and again and again while it runs. */

import type { Config } from "../config/schema.ts";
import { asUdp, formatAddress, hasName } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import { sleep } from "../core/sleep.ts";
import { addressesOf } from "../pool/backend.ts";
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
  /** Waits before it is asked whether names have moved; a test may have another clock. */
  readonly followPause?: typeof sleep;
}

/** What is done with a backend whose name is not resolved any more, because no name server answers. */
const LAST_ADDRESSES = "its last addresses stay in use, and it is asked for again";

/** How often it is asked whether names have moved. The resolver of the system does not tell how long an answer holds. */
const FOLLOW_EVERY_MS = 30_000;

export class BackendNames {
  readonly names: Names;
  readonly #options: BackendNamesOptions;
  readonly #retries: NameRetries;
  readonly #stop = new AbortController();
  /** Undefined until names are followed. */
  #config: Config | undefined;

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

  /** Looks up the names of a configuration that were never looked up before. Never rejects. */
  async lookUpNew(config: Config): Promise<void> {
    await this.names.refresh(backendNames(config).filter((address) => !this.names.isKnown(address)));
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
    const isFirst = this.#config === undefined;
    this.#config = config;
    if (isFirst) void this.#followMoves();
  }

  /** Ends lookups and retries. */
  stop(): void {
    this.#stop.abort();
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
      if (!this.#stop.signal.aborted) journal.error("name_not_applied", { reason: reasonOf(error) });
      return;
    }
    const after = new Set(unresolvedOf(plan()).map(({ backend }) => backend.row));
    for (const { pool, backend } of before) {
      if (!after.has(backend.row)) journal.info("name_resolved", { pool, backend: backend.name });
    }
  }

  /** Puts the addresses of names into force that are others than they were. */
  async #followMoves(): Promise<void> {
    const { followPause: pause = sleep, journal } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await pause(FOLLOW_EVERY_MS, signal);
      const addresses = this.#config === undefined ? [] : backendNames(this.#config);
      if (signal.aborted || addresses.length === 0) continue;
      await this.names.refresh(addresses);
      const moved = this.#moved();
      if (signal.aborted || moved.length === 0) continue;
      await this.#applyAgain();
      for (const { pool, backend, now } of moved) journal.info("name_moved", { pool, backend, address: now });
    }
  }

  /** The backends whose name stands for other addresses than those that are dialled. */
  #moved(): { readonly pool: string; readonly backend: string; readonly now: string }[] {
    return this.#options.plan().pools.flatMap(({ name: pool, backends }) => {
      return backends.flatMap((backend, i) => {
        const written = this.#config?.pools[pool]?.backends[i]?.address;
        if (written === undefined || !hasName(written) || backend.unresolved !== undefined) return [];
        const known = this.names.of(written);
        if ("reason" in known) return [];
        const before = addressesOf(backend).map(formatAddress);
        // The configuration does not say whether a backend is dialled over UDP; the plan does.
        const isUdp = backend.address.transport === "udp";
        const now = known.addresses.map((it) => formatAddress(isUdp ? asUdp(it) : it));
        if (before.toSorted().join() === now.toSorted().join()) return [];
        return [{ pool, backend: backend.name, now: now.join(", ") }];
      });
    });
  }
}
