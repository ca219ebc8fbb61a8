/** Who the members of pools are: as the configuration says, as sources say, and as the operator says. */

import type { EngineName } from "../config/engine_names.ts";
import type { BackendConfig } from "../config/pool_schema.ts";
import type { Config } from "../config/schema.ts";
import type { Recorder } from "../core/log.ts";
import { MAX_MEMBERS } from "../core/member_limit.ts";
import { AddedMembers } from "./added_members.ts";
import { Discoveries, type DiscoveriesOptions } from "./discoveries.ts";
import { Leavers, type LeaversOptions } from "./leavers.ts";
import { type Joined, joinMembers, type Origin } from "./members.ts";
import { whyNotDialled } from "./permissions.ts";
import type { Plan } from "./plan.ts";
import type { BackendRow } from "../pool/row.ts";
import type { BackendFacts } from "../pool/scoreboard.ts";
import { Wishes, wishOf } from "./wishes.ts";

/** Where backends are discovered, and how long is waited between changes; a test may have others. */
export type DiscoveryOptions = Pick<DiscoveriesOptions, "source" | "pause">;

export interface MembershipOptions extends LeaversOptions, Pick<DiscoveriesOptions, "apply"> {
  readonly written: Config;
  readonly log: Recorder;
  readonly engine: EngineName;
  readonly discovery?: DiscoveryOptions | undefined;
  /** What is known of the backend that has a row. */
  readonly factsOf: (row: BackendRow) => BackendFacts;
}

/** What is left out at times is said again when it was not for so long. */
const SAY_AGAIN_MS = 600_000;

/** As many sentences are remembered of a pool, however fast a source thinks of others. */
const MAX_SAID = 2 * MAX_MEMBERS;

export class Membership {
  readonly discoveries: Discoveries;
  readonly added: AddedMembers = new AddedMembers();
  readonly wishes: Wishes = new Wishes();
  readonly #options: MembershipOptions;
  readonly #leavers: Leavers;
  /** What was left out of each pool, as far as it has been said, and when that was so for the last time. */
  readonly #said = new Map<string, Map<string, number>>();
  #written: Config;
  #joined: Joined;

  constructor(options: MembershipOptions) {
    const { written, log, apply, discovery } = options;
    this.#options = options;
    this.#written = written;
    this.discoveries = new Discoveries({ log, apply, ...discovery });
    this.#joined = this.join(written);
    this.#leavers = new Leavers(options);
  }

  /** The configuration in force, as it was read. */
  get written(): Config {
    return this.#written;
  }

  /** The same with all members of its pools. */
  get config(): Config {
    return this.#joined.config;
  }

  /** A member of the pool, as it was written, discovered or added. */
  backend(pool: string, name: string): BackendConfig | undefined {
    return this.#joined.members.get(pool)?.get(name);
  }

  originOf(pool: string, backend: string): Origin {
    return this.#joined.origins.get(pool)?.get(backend) ?? "file";
  }

  /** What of a pool was left out and why. */
  refusedIn(pool: string): readonly string[] {
    return [...this.discoveries.of(pool)?.found.refused ?? [], ...this.#joined.refused.get(pool) ?? []];
  }

  /** A configuration with the members that are known by now. */
  join(written: Config): Joined {
    return joinMembers(written, {
      discovered: (pool) => this.discoveries.of(pool)?.found.members ?? [],
      added: (pool) => this.added.of(pool),
      whyNotDialled: whyNotDialled(this.#options.engine),
    });
  }

  /** The first configuration is about to be put into force: starts its sources, and waits a moment for what they say. */
  async begin(): Promise<void> {
    await this.discoveries.prepare(this.#written);
    this.discoveries.takeChanges();
    this.#come(this.#written, this.join(this.#written));
  }

  /** Does what puts a configuration into force. Sources that it has more run before, and those that it has not are ended after. */
  async during<T>(written: Config, putIntoForce: () => Promise<T>): Promise<T> {
    await this.discoveries.prepare(written);
    try {
      return await putIntoForce();
    } finally {
      this.discoveries.follow(this.#written);
    }
  }

  /** It is in force. */
  follow(written: Config, joined: Joined, before: Plan, now: Plan): void {
    // What a fleet wants it knows itself.
    if (written.fleet === undefined) this.#keepWishes(before, now);
    this.#come(written, joined);
    this.#leavers.follow(before, now, joined.config);
  }

  /** Nothing changes any more. */
  async stop(): Promise<void> {
    this.#leavers.stop();
    await this.discoveries.stop();
  }

  /** What the operator wants of those that leave is wanted when they come back. */
  #keepWishes(before: Plan, now: Plan): void {
    const members = new Set(now.pools.flatMap(({ backends }) => backends.map(({ row }) => row)));
    for (const { name: pool, backends } of before.pools) {
      for (const { name, row } of backends) {
        if (members.has(row)) continue;
        const wish = wishOf(this.#options.factsOf(row), this.backend(pool, name)?.weight);
        if (wish !== undefined) this.wishes.add(pool, name, wish);
      }
    }
  }

  /** Says what is left out, unless it has been said. */
  #come(written: Config, joined: Joined): void {
    const { log } = this.#options;
    this.#written = written;
    this.#joined = joined;
    for (const pool of Object.keys(joined.config.pools)) {
      const [first, ...others] = this.#newsIn(pool);
      if (first === undefined) continue;
      log.warn("members_refused", {
        pool,
        reason: first,
        ...(others.length > 0 ? { more: others.length } : {}),
      });
    }
  }

  /** What is left out of a pool, and has not been said. */
  #newsIn(pool: string): string[] {
    const [refused, nowMs] = [this.refusedIn(pool), Date.now()];
    const said = this.#said.get(pool) ?? new Map<string, number>();
    const news = refused.filter((it) => nowMs - (said.get(it) ?? -Infinity) > SAY_AGAIN_MS);
    if (said.size + news.length > MAX_SAID) said.clear();
    for (const it of refused) said.set(it, nowMs);
    this.#said.set(pool, said);
    return news;
  }
}
