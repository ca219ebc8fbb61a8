/** Balancers that agree through a store in memory, by a clock that a test moves. */

import assert from "node:assert/strict";
import type { Agreement } from "../../lib/fleet/agreement.ts";
import type { Sessions } from "../../lib/fleet/failing.ts";
import type { Policy } from "../../lib/fleet/own_trial.ts";
import { Rollout } from "../../lib/fleet/rollout.ts";
import { keysBeside, writeCanary } from "../../lib/fleet/trial.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";

export const PATH = "/balancer.yaml";
const KEYS = keysBeside(PATH);
const never = new AbortController().signal;

/** What etcd does, as far as it matters. */
export class FakeStore {
  readonly values = new Map<string, { value: string; revision: string }>();
  isAway = false;
  #revision = 0;

  put(key: string, value: string): void {
    this.values.set(key, { value, revision: String(++this.#revision) });
  }

  get(key: string): string | undefined {
    return this.values.get(key)?.value;
  }

  /** The agreement of one balancer, whose key under a lease is `trying`. */
  agreement(): Agreement & { lose(): void } {
    let trying = "";
    const ask = <T>(change: () => T): Promise<T> => {
      return this.isAway ? Promise.reject(new Error("etcd is away")) : Promise.resolve(change());
    };
    const isStill = (revision: string): boolean => this.values.get(PATH)?.revision === revision;
    return {
      follow: () => Promise.resolve(),
      enter: (revision, { slot, ...who }, old) =>
        ask(() => {
          const key = KEYS.of(revision, "canaries", slot);
          const isOver = this.values.has(KEYS.of(revision, "results", 1));
          if (!isStill(revision) || this.values.has(key) || isOver) return;
          this.put(key, writeCanary(who));
          this.put(trying = KEYS.of(revision, "trying", slot), who.name);
          for (const it of old) this.values.delete(it);
        }),
      tell: (revision, { slot }, result) =>
        ask(() => {
          const key = KEYS.of(revision, "results", slot);
          if (this.values.has(key) || !this.values.has(KEYS.of(revision, "trying", slot))) return;
          this.put(key, result);
        }),
      keepPassed: (revision, text) =>
        ask(() => {
          if (isStill(revision)) this.put(KEYS.passed, text);
        }),
      leave: () => {},
      lose: () => void this.values.delete(trying),
    };
  }
}

/** One balancer, which runs nothing. */
export class FakeBalancer {
  readonly log: MemoryLog = memoryLog();
  readonly rollout: Rollout;
  readonly agreement;
  /** What was put into force, in order. */
  readonly loaded: string[] = [];
  /** Texts that cannot be. */
  readonly refuses = new Set<string>();
  sessions: Sessions = { ended: 0, failed: 0 };
  isReady = true;
  policy: Policy | undefined;
  isDead = false;

  constructor(
    name: string,
    store: FakeStore,
    now: () => number,
    policy: Policy | undefined,
    follows: boolean,
  ) {
    this.policy = policy;
    this.agreement = store.agreement();
    this.rollout = new Rollout({
      agreement: this.agreement,
      path: PATH,
      text: "old",
      follows,
      policy: () => this.policy,
      name: () => name,
      reload: () => {
        assert.ok(this.rollout.isFollowing, "a reload would read what is in etcd");
        if (this.refuses.has(this.rollout.text)) return Promise.resolve("it is bad");
        this.loaded.push(this.rollout.text);
        if (this.rollout.text === "without") this.policy = undefined;
        else this.policy ??= policy;
        return Promise.resolve(undefined);
      },
      sessions: () => this.sessions,
      isReady: () => this.isReady,
      log: this.log.log,
      now,
    });
  }

  get inForce(): string {
    return this.rollout.text;
  }

  serve(ended: number, failed = 0): void {
    this.sessions = { ended: this.sessions.ended + ended, failed: this.sessions.failed + failed };
  }
}

export class FakeFleet {
  readonly store = new FakeStore();
  readonly balancers: FakeBalancer[];
  nowMs = 0;

  constructor(policy: Policy | "none" = { canary: 1, waitMs: 30_000 }, count = 3, follows = true) {
    this.store.put(PATH, "old");
    this.balancers = Array.from(
      { length: count },
      (_, i) => this.join(`lb${i + 1}`, policy === "none" ? undefined : policy, follows),
    );
  }

  join(name: string, policy: Policy | undefined, follows: boolean): FakeBalancer {
    return new FakeBalancer(name, this.store, () => this.nowMs, policy, follows);
  }

  get inForce(): string {
    return this.balancers.map(({ inForce }) => inForce).join(" ");
  }

  get states(): string {
    return this.balancers.map(({ rollout }) => rollout.state).join(" ");
  }

  /** Lets seconds go by, with a tick of each balancer in each of them, and what a balancer sees of the store before it. */
  async pass(seconds: number, each: () => void = () => {}): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.nowMs += 1_000;
      each();
      for (const { rollout, isDead } of this.balancers) {
        if (isDead) continue;
        if (!this.store.isAway) rollout.see(this.store.values);
        // deno-lint-ignore no-await-in-loop -- one balancer after the other
        await rollout.tick(never);
      }
    }
  }
}
