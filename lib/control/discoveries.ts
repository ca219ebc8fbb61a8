// deno-lint-ignore-file no-await-in-loop -- one change after the other

/** The sources of all pools, and how what they say comes into force: many changes at once, and not too often. */

import type { DiscoverConfig } from "../config/discover_schema.ts";
import type { Config } from "../config/schema.ts";
import { reasonOf } from "../core/errors.ts";
import type { Recorder } from "../core/log.ts";
import { sleep } from "../core/sleep.ts";
import type { Pause, Source } from "../discovery/source.ts";
import { Discovery } from "./discovery.ts";
import { makeSource } from "./make_source.ts";

export interface DiscoveriesOptions {
  readonly log: Recorder;
  /** Puts the members of now into force. */
  readonly apply: () => Promise<unknown>;
  /** A test may have another one. */
  readonly source?: ((discover: DiscoverConfig) => Source) | undefined;
  /** Waits between changes; a test may have another clock. */
  readonly pause?: Pause | undefined;
}

/** A start or a reload waits no longer for the first answers; what comes later is applied then. */
const FIRST_ANSWER_MS = 2_000;

/** What comes within it is applied together. */
const SETTLE_MS = 100;

/** What could not be put into force is tried again. */
const RETRY_MS = 5_000;

/** After each change, the control plane has so many times its duration for everything else, up to a limit. */
const REST = 4;
const MAX_REST_MS = 2_000;

interface Running {
  /** What is written of it. */
  readonly key: string;
  readonly discovery: Discovery;
}

export class Discoveries {
  readonly #options: DiscoveriesOptions;
  readonly #pools = new Map<string, Running>();
  /** Those in whose place others are tried: they run until a configuration is in force that does without them. */
  readonly #replaced = new Map<string, Running>();
  readonly #stop = new AbortController();
  #isDirty = false;
  #applying: Promise<void> | undefined;

  constructor(options: DiscoveriesOptions) {
    this.#options = options;
  }

  /** That of a pool; undefined for one that has none. */
  of(pool: string): Discovery | undefined {
    return this.#pools.get(pool)?.discovery;
  }

  /** Starts the sources that a configuration has more, and waits a moment for what they say. The others go on. */
  async prepare(config: Config): Promise<void> {
    const fresh: Promise<void>[] = [];
    for (const [pool, { discover }] of Object.entries(config.pools)) {
      if (discover === undefined || this.#stop.signal.aborted) continue;
      const key = JSON.stringify(discover);
      const known = this.#pools.get(pool);
      if (known?.key === key) continue;
      const discovery = this.#make(pool, discover, known?.discovery);
      if (known !== undefined) this.#replaced.set(pool, known);
      this.#pools.set(pool, { key, discovery });
      discovery.start();
      fresh.push(discovery.answered);
    }
    if (fresh.length === 0) return;
    const enough = new AbortController();
    await Promise.race([Promise.all(fresh), sleep(FIRST_ANSWER_MS, enough.signal)]);
    enough.abort();
  }

  /**
   * Ends the sources that the configuration in force does not have. Where it is not the one that was prepared, its own have their
   * places again, with what they have said meanwhile.
   */
  follow(config: Config): void {
    for (const [pool, tried] of this.#pools) {
      const key = JSON.stringify(config.pools[pool]?.discover);
      const replaced = this.#replaced.get(pool);
      const inForce = [tried, replaced].find((it) => it?.key === key);
      for (const it of [tried, replaced]) if (it !== inForce) void it?.discovery.stop();
      if (inForce === undefined) this.#pools.delete(pool);
      else this.#pools.set(pool, inForce);
      if (inForce !== tried) this.#changed();
    }
    this.#replaced.clear();
  }

  /** Whether the members of any pool are others than when this was asked last. */
  takeChanges(): boolean {
    return [...this.#pools.values()].map(({ discovery }) => discovery.takeChange()).includes(true);
  }

  /** Has the members of now put into force, soon. */
  #changed(): void {
    this.#isDirty = true;
    this.#applying ??= this.#apply().finally(() => this.#applying = undefined);
  }

  /** Ends all sources; nothing is put into force any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const running = [...this.#pools.values(), ...this.#replaced.values()];
    await Promise.all(running.map(({ discovery }) => discovery.stop()));
    await this.#applying;
  }

  #make(pool: string, discover: DiscoverConfig, before: Discovery | undefined): Discovery {
    const { log, source = makeSource, pause = sleep } = this.#options;
    return new Discovery({
      pool,
      discover,
      source: source(discover),
      before: before?.found.members ?? [],
      log,
      pause,
      onChanged: () => this.#changed(),
    });
  }

  async #apply(): Promise<void> {
    const { apply, log, pause = sleep } = this.#options;
    const { signal } = this.#stop;
    let failure = "";
    while (this.#isDirty) {
      await pause(SETTLE_MS, signal);
      if (signal.aborted) return;
      this.#isDirty = false;
      if (!this.takeChanges() && failure === "") continue;
      const startedMs = performance.now();
      try {
        await apply();
        failure = "";
        await pause(Math.min(REST * (performance.now() - startedMs), MAX_REST_MS), signal);
      } catch (error) {
        if (signal.aborted) return;
        const reason = reasonOf(error);
        if (reason !== failure) log.error("members_not_applied", { reason });
        failure = reason;
        this.#isDirty = true;
        await pause(RETRY_MS, signal);
      }
    }
  }
}
