/**
 * What a balancer does with the configuration that it follows in etcd: tries it before the others, waits for those that do, puts it
 * into force, or stays with the one before. It goes by what it was shown last and by the time; what it does it does through others.
 */

import { reasonOf } from "../core/errors.ts";
import type { Recorder } from "../core/log.ts";
import type { Values } from "../discovery/etcd_keys.ts";
import type { Agreement } from "./agreement.ts";
import type { Sessions } from "./failing.ts";
import { judge, type OwnTrial, type Policy } from "./own_trial.ts";
import { RecentSessions } from "./recent_sessions.ts";
import { canariesOf, type Canary, freeSlot, keysBeside, oldKeys, PASSED, verdictOf } from "./trial.ts";

export interface RolloutOptions {
  readonly agreement: Agreement;
  /** The key of the configuration. */
  readonly path: string;
  /** What is in force at the start. */
  readonly text: string;
  /** Whether a change comes into force also where there is no policy. */
  readonly follows: boolean;
  /** That of the configuration in force. */
  readonly policy: () => Policy | undefined;
  /** How the others call this balancer. */
  readonly name: () => string;
  /** Puts {@linkcode Rollout.text} into force; why that cannot be done, and then nothing has changed. */
  readonly reload: () => Promise<string | undefined>;
  /** Since the start. */
  readonly sessions: () => Sessions;
  /** Whether every pool has a backend that may be picked. */
  readonly isReady: () => boolean;
  readonly log: Recorder;
  /** Milliseconds that only go up. */
  readonly now: () => number;
}

/** What became of the configuration under the key here. */
export type RolloutState =
  | "in_force"
  /** There is another one, which waits to be asked for. */
  | "changed"
  /** Others try it. */
  | "waiting"
  /** It is tried here. */
  | "trying"
  /** It has failed where it was tried, and the one before is in force. */
  | "stopped"
  /** It has passed, and cannot be put into force here. */
  | "failed";

export class Rollout {
  /** What is to be in force now, and what a reload reads. */
  text: string;
  state: RolloutState = "in_force";
  /** Why it is not in force; empty when it is, or may soon be. */
  reason = "";
  /** Who tries it, or has tried it. */
  canaries: readonly Canary[] = [];
  /** When that was decided. */
  since = new Date();
  /** Why etcd cannot be asked at the moment; empty when it can. */
  trouble = "";
  /** Since when that is so. */
  troubleSince = new Date();
  readonly #options: RolloutOptions;
  readonly #id = crypto.randomUUID();
  readonly #recent: RecentSessions;
  /** Undefined until it is known. */
  #values: Values | undefined;
  /** The last one that did not have to be tried, or has passed. */
  #base: string;
  /** The revision about which nothing is left to be decided. */
  #settled = "";
  #trial: OwnTrial | undefined;
  #isLoading = false;
  /** Whether the trouble is with what is to be said, of which nothing is seen. */
  #isUnsaid = false;

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.text = this.#base = options.text;
    this.#recent = new RecentSessions(options.now, options.sessions);
  }

  /** Of what is under the key; undefined while that is not known. */
  get revision(): string | undefined {
    return this.#values?.get(this.#options.path)?.revision;
  }

  /** Whether changes come into force by themselves, so that a reload reads {@linkcode Rollout.text}. */
  get isFollowing(): boolean {
    // What is tried may be without a policy.
    const isBusy = this.#isLoading || this.#trial !== undefined;
    return isBusy || this.#options.follows || this.#options.policy() !== undefined;
  }

  /** What is there now. */
  see(values: Values): void {
    this.#values = values;
    const { path } = this.#options;
    if (values.has(path)) this.#worksAgain();
    else this.miss(`there is no key ${path} any more`);
  }

  /** Why that cannot be known. */
  miss(why: string): void {
    if (this.trouble === "") {
      this.#options.log.warn("config_store_failed", { reason: why });
      this.troubleSince = new Date();
    }
    this.trouble = why;
  }

  /** What was read and is put into force by itself, without having been tried. */
  take(text: string): void {
    this.text = this.#base = text;
    this.#settled = "";
  }

  /** Does what is to be done now. Call it once a second, and when something was seen. Never rejects. */
  async tick(stop: AbortSignal): Promise<void> {
    this.#recent.look();
    const [values, current] = [this.#values, this.#values?.get(this.#options.path)];
    if (values === undefined || current === undefined) return;
    try {
      if (this.#trial !== undefined && this.#trial.revision !== current.revision) await this.#abandon();
      if (this.#settled !== current.revision) await this.#decide(values, current, stop);
      if (this.#settled === current.revision) await this.#keepPassed(values, current, stop);
      if (this.#isUnsaid) this.#worksAgain();
    } catch (error) {
      if (stop.aborted) return;
      this.miss(reasonOf(error));
      this.#isUnsaid = true;
    }
  }

  async #decide(values: Values, current: Current, stop: AbortSignal): Promise<void> {
    const { path, agreement } = this.#options;
    const { revision } = current;
    this.canaries = canariesOf(values, path, revision);
    if (this.#trial === undefined && current.value === this.#base) return this.#settle(revision, "in_force");
    const policy = this.#trial?.policy ?? this.#options.policy();
    if (policy === undefined) {
      if (this.isFollowing) return await this.#apply(current);
      this.#turn("changed", revision);
      return;
    }
    const verdict = verdictOf(this.canaries);
    if (verdict.is === "passed") return await this.#apply(current);
    if (verdict.is === "failed") {
      await this.#abandon();
      return this.#settle(revision, "stopped", verdict.reason);
    }
    const mine = this.canaries.find(({ id }) => id === this.#id);
    if (mine !== undefined) return await this.#try(current, mine, policy, stop);
    const slot = freeSlot(this.canaries, policy.canary);
    if (slot === undefined) {
      agreement.leave();
      return this.#turn("waiting", revision, { canaries: this.canaries.map(({ name }) => name) });
    }
    const canary = { slot, name: this.#options.name(), id: this.#id };
    await agreement.enter(revision, canary, oldKeys(values, path, revision), stop);
  }

  /** One step of a trial: begins it, looks at it, or says what came of it. */
  async #try(current: Current, mine: Canary, policy: Policy, stop: AbortSignal): Promise<void> {
    const { agreement, log, sessions, now, isReady } = this.#options;
    const trial = this.#trial ??= await this.#begin(current, policy);
    trial.result ??= judge(trial, { sessions: sessions(), nowMs: now(), isReady });
    if (trial.result === undefined) return;
    if (trial.result !== PASSED && trial.isLoaded) {
      log.error("rollout_taken_back", { revision: current.revision, reason: trial.result });
      trial.isLoaded = false;
      await this.#load(this.#base);
    }
    if (mine.result === undefined) await agreement.tell(current.revision, mine, trial.result, stop);
  }

  async #begin({ revision, value }: Current, policy: Policy): Promise<OwnTrial> {
    const { isReady, sessions, now } = this.#options;
    this.#turn("trying", revision, { wait_ms: policy.waitMs });
    const [before, wasReady] = [this.#recent.sessions, isReady()];
    const why = await this.#load(value);
    return {
      revision,
      policy,
      before,
      wasReady,
      startMs: now(),
      start: sessions(),
      result: why,
      isLoaded: why === undefined,
    };
  }

  /** Ends a trial of something that is not to stay: the configuration before is in force again. */
  async #abandon(): Promise<void> {
    const trial = this.#trial;
    this.#trial = undefined;
    this.#options.agreement.leave();
    if (trial?.isLoaded) await this.#load(this.#base);
  }

  /** It is not to be tried, or has passed. */
  async #apply({ revision, value }: Current): Promise<void> {
    const isLoaded = this.#trial?.isLoaded ?? false;
    this.#trial = undefined;
    this.#options.agreement.leave();
    const why = isLoaded ? undefined : await this.#load(value);
    if (why !== undefined) return this.#settle(revision, "failed", why);
    this.#base = value;
    // What was not tried is in the record of the reload.
    if (this.canaries.length > 0) this.#options.log.info("rollout_passed", { revision });
    this.#settle(revision, "in_force");
  }

  async #load(text: string): Promise<string | undefined> {
    const before = this.text;
    this.text = text;
    this.#isLoading = true;
    const why = await this.#options.reload().finally(() => this.#isLoading = false);
    if (why !== undefined) this.text = before;
    return why;
  }

  /** Balancers that start begin with it. Which of them writes it first does not matter. */
  async #keepPassed(values: Values, { revision, value }: Current, stop: AbortSignal): Promise<void> {
    const { path, policy, agreement } = this.#options;
    const passed = values.get(keysBeside(path).passed)?.value;
    if (this.state !== "in_force" || passed === value) return;
    const hasPassed = verdictOf(canariesOf(values, path, revision)).is === "passed";
    const isFirst = passed === undefined && policy() !== undefined;
    const isUntried = passed !== undefined && policy() === undefined;
    if (hasPassed || isFirst || isUntried) await agreement.keepPassed(revision, value, stop);
  }

  #settle(revision: string, state: RolloutState, reason = ""): void {
    this.#settled = revision;
    this.#turn(state, revision, reason === "" ? {} : { reason });
    this.reason = reason;
  }

  #worksAgain(): void {
    if (this.trouble !== "") this.#options.log.info("config_store_works_again", {});
    this.trouble = "";
    this.#isUnsaid = false;
  }

  /** Says it once. */
  #turn(state: RolloutState, revision: string, fields: Record<string, unknown> = {}): void {
    const isSaid = state === this.state;
    if (!isSaid) this.since = new Date();
    this.state = state;
    this.reason = "";
    const { log } = this.#options;
    if (state === "stopped" || state === "failed") log.error(`rollout_${state}`, { revision, ...fields });
    else if (state !== "in_force" && !isSaid) log.info(`rollout_${state}`, { revision, ...fields });
  }
}

interface Current {
  readonly value: string;
  readonly revision: string;
}
