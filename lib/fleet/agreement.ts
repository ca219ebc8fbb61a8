// deno-lint-ignore-file no-await-in-loop -- one beat after the other

/** How balancers agree on a rollout: by transactions of etcd, of which the first one counts. */

import { sleep } from "../core/sleep.ts";
import type { EtcdOptions } from "../discovery/etcd_client.ts";
import { askAny } from "../discovery/etcd_questions.ts";
import { followKeys, type Values } from "../discovery/etcd_keys.ts";
import {
  type EtcdCondition,
  type EtcdWrite,
  grantLease,
  keepLease,
  writeIf,
} from "../discovery/etcd_writes.ts";
import type { Pause } from "../discovery/source.ts";
import { type Canary, keysBeside, type Result, writeCanary } from "./trial.ts";

/** What a balancer says to the others, and sees of them. What cannot be said rejects with one sentence, and may be said again. */
export interface Agreement {
  /** As {@linkcode followKeys}, of the configuration and everything beside it. */
  follow(
    onValues: (values: Values) => void,
    onTrouble: (why: string) => void,
    stop: AbortSignal,
  ): Promise<void>;
  /**
   * Takes the slot of a canary, unless another one has it, or there is another configuration by now; the keys that are followed show
   * which. From then on the others see that it is there, until {@linkcode Agreement.leave}.
   *
   * @param old Keys that are deleted, as nothing asks for them any more.
   */
  enter(
    revision: string,
    canary: Pick<Canary, "slot" | "name" | "id">,
    old: readonly string[],
    stop: AbortSignal,
  ): Promise<void>;
  /** Says what came of a trial, unless the others think that this balancer was lost; the keys that are followed show which. */
  tell(revision: string, canary: Canary, result: Result, stop: AbortSignal): Promise<void>;
  /** Keeps a configuration for balancers that start, unless there is another one by now. */
  keepPassed(revision: string, text: string, stop: AbortSignal): Promise<void>;
  /** It is no canary any more. */
  leave(): void;
}

/** A canary of which nothing was heard for so long is lost. */
const LEASE_S = 15;

/** Three tries, and then it is too late. */
const BEAT_EVERY_MS = LEASE_S * 1_000 / 4;

/** Beside the configuration there are a few keys for each canary. */
const MAX_KEYS = 5_000;

/** As many operations a transaction has by default. */
const MAX_DELETED = 100;

export interface EtcdAgreementOptions extends EtcdOptions {
  /** The key of the configuration. */
  readonly path: string;
  readonly pause?: Pause;
  readonly quietMs?: number;
}

export function etcdAgreement(options: EtcdAgreementOptions): Agreement {
  return new EtcdAgreement(options);
}

class EtcdAgreement implements Agreement {
  readonly #options: EtcdAgreementOptions;
  #lease: { readonly id: string; readonly end: AbortController } | undefined;
  #keeping: Promise<void> = Promise.resolve();

  constructor(options: EtcdAgreementOptions) {
    this.#options = options;
  }

  async follow(
    onValues: (values: Values) => void,
    onTrouble: (why: string) => void,
    stop: AbortSignal,
  ): Promise<void> {
    const { path } = this.#options;
    const whyTooMany = (keys: number): string | undefined =>
      keys <= MAX_KEYS ? undefined : `there are more than ${MAX_KEYS} keys that begin with ${path}`;
    const options = { ...this.#options, prefix: path, maxKeys: MAX_KEYS, whyTooMany };
    await followKeys(options, onValues, onTrouble, stop);
    await this.#keeping;
  }

  async enter(
    revision: string,
    { slot, ...who }: Pick<Canary, "slot" | "name" | "id">,
    old: readonly string[],
    stop: AbortSignal,
  ): Promise<void> {
    const { of } = keysBeside(this.#options.path);
    const lease = await this.#held(stop);
    const before = Array.from({ length: slot - 1 }, (_, i) => of(revision, "results", i + 1));
    await this.#write(
      [this.#isStill(revision), ...[of(revision, "canaries", slot), ...before].map(isAbsent)],
      [
        { key: of(revision, "canaries", slot), value: writeCanary(who) },
        { key: of(revision, "trying", slot), value: who.name, lease },
        ...old.slice(0, MAX_DELETED).map((key) => ({ key })),
      ],
      stop,
    );
  }

  async tell(revision: string, { slot, there }: Canary, result: Result, stop: AbortSignal): Promise<void> {
    if (there === undefined) return;
    const { of } = keysBeside(this.#options.path);
    const key = of(revision, "results", slot);
    const isThere = { key: of(revision, "trying", slot), revision: there };
    await this.#write([isAbsent(key), isThere], [{ key, value: result }], stop);
  }

  async keepPassed(revision: string, text: string, stop: AbortSignal): Promise<void> {
    const { passed } = keysBeside(this.#options.path);
    await this.#write([this.#isStill(revision)], [{ key: passed, value: text }], stop);
  }

  leave(): void {
    this.#lease?.end.abort();
    this.#lease = undefined;
  }

  #isStill(revision: string): EtcdCondition {
    return { key: this.#options.path, revision };
  }

  async #write(
    conditions: readonly EtcdCondition[],
    writes: readonly EtcdWrite[],
    stop: AbortSignal,
  ): Promise<void> {
    await askAny(this.#options, (client) => writeIf(client, conditions, writes, stop), stop);
  }

  /** A lease that this process keeps up. */
  async #held(stop: AbortSignal): Promise<string> {
    if (this.#lease !== undefined) return this.#lease.id;
    const { id } = await askAny(this.#options, (client) => grantLease(client, LEASE_S, stop), stop);
    const end = new AbortController();
    this.#lease = { id, end };
    this.#keeping = this.#keepUp(id, AbortSignal.any([end.signal, stop]));
    return id;
  }

  /** Until the signal, or until etcd has forgotten the lease: then it cannot be had back. */
  async #keepUp(id: string, end: AbortSignal): Promise<void> {
    const { pause = sleep } = this.#options;
    while (!end.aborted) {
      await pause(BEAT_EVERY_MS, end);
      if (end.aborted) return;
      try {
        const isThere = await askAny(this.#options, (client) => keepLease(client, id, end), end);
        if (!isThere) return this.#forget(id);
      } catch {
        // That etcd cannot be asked is told by what follows it.
      }
    }
  }

  #forget(id: string): void {
    if (this.#lease?.id === id) this.#lease = undefined;
  }
}

function isAbsent(key: string): EtcdCondition {
  return { key, revision: "0" };
}
