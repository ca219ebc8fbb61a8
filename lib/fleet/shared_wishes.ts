/**
 * The wishes of all balancers, as one of them knows them. Pure.
 *
 * Of two wishes about the same the later one holds, and what etcd has is what holds for all. A wish that was given here holds
 * here at once; it is to be written unless etcd has a later one, and only over what is known, so that no balancer overwrites what
 * it has not seen.
 */

import { formatWish, keyOfTopic, parseWish, type SharedWish, topicOfKey, type WishTopic } from "./wish.ts";

/** What is to be written, on the condition that the key still has this revision. */
export interface DueWish {
  readonly key: string;
  readonly wish: SharedWish;
  readonly revision: string;
}

/** A key of etcd as it was read; without a value it was deleted. */
export interface LearntKey {
  readonly key: string;
  readonly value?: string | undefined;
  readonly revision: string;
}

/** A key that counts as no wish. */
export interface RefusedKey {
  readonly key: string;
  /** A sentence. */
  readonly why: string;
}

interface Known {
  readonly topic: WishTopic;
  /** What etcd has; undefined: nothing, or nothing that is a wish. */
  stored: SharedWish | undefined;
  /** "0": there is no such key. */
  revision: string;
  /** What was given here and is not known to be written. */
  pending: SharedWish | undefined;
}

const NO_KEY = "0";

export class SharedWishes {
  readonly #known = new Map<string, Known>();
  /** By key, the revision of what is no wish. */
  readonly #refused = new Map<string, string>();
  #unsaid: RefusedKey[] = [];

  /** A wish is given here. It is later than all that are known. */
  give(topic: WishTopic, wish: Omit<SharedWish, "atMs">, nowMs: number): void {
    const known = this.#of(keyOfTopic(topic), topic);
    const atMs = Math.max(nowMs, (known.stored?.atMs ?? 0) + 1, (known.pending?.atMs ?? 0) + 1);
    known.pending = { ...wish, atMs };
  }

  /** A wish that was given here before a restart: it keeps its time. */
  restore(topic: WishTopic, wish: SharedWish): void {
    const known = this.#of(keyOfTopic(topic), topic);
    known.pending = wish;
    settle(known);
  }

  /** A key has changed. @return Whether it is another wish that holds now. */
  learn({ key, value, revision }: LearntKey): boolean {
    const topic = topicOfKey(key);
    const wish = value === undefined
      ? undefined
      : typeof topic === "string"
      ? topic
      : parseWish(value, topic);
    this.#note(key, revision, typeof wish === "string" ? wish : undefined);
    if (typeof topic === "string") return false;
    const known = this.#of(key, topic);
    // What was written or read here comes by the watch, too.
    if (BigInt(revision) <= BigInt(known.revision)) return false;
    const before = holds(known);
    known.stored = typeof wish === "string" ? undefined : wish;
    known.revision = value === undefined ? NO_KEY : revision;
    settle(known);
    return holds(known) !== before;
  }

  /**
   * All keys were read.
   *
   * @param isSameStore Whether it is the etcd from before: then what it lacks was deleted. One that has lost everything is told again.
   */
  learnAll(keys: readonly LearntKey[], isSameStore: boolean): void {
    const found = new Set(keys.map(({ key }) => key));
    for (const key of this.#refused.keys()) if (!found.has(key)) this.#refused.delete(key);
    for (const [key, known] of this.#known) {
      known.revision = NO_KEY;
      if (found.has(key)) continue;
      if (!isSameStore) known.pending ??= known.stored;
      known.stored = undefined;
    }
    for (const key of keys) this.learn(key);
  }

  /** Keys that were learnt since this was asked last and count as no wish; each is given once for a revision. */
  takeRefused(): readonly RefusedKey[] {
    const refused = this.#unsaid;
    this.#unsaid = [];
    return refused;
  }

  /** It was written with this revision. */
  written({ key, wish }: DueWish, revision: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    known.stored = wish;
    known.revision = revision;
    settle(known);
  }

  /** What is to be written now. */
  get due(): DueWish[] {
    return [...this.#known].flatMap(([key, { pending, revision }]) => {
      return pending === undefined ? [] : [{ key, wish: pending, revision }];
    });
  }

  /** What holds about something. */
  of(topic: WishTopic): SharedWish | undefined {
    const known = this.#known.get(keyOfTopic(topic));
    return known && holds(known);
  }

  /** All that hold. */
  get all(): { readonly topic: WishTopic; readonly wish: SharedWish }[] {
    return [...this.#known.values()].flatMap((known) => {
      const wish = holds(known);
      return wish === undefined ? [] : [{ topic: known.topic, wish }];
    });
  }

  /** Those of {@linkcode SharedWishes.due}, to be kept over a restart. */
  get unwritten(): { readonly topic: WishTopic; readonly value: string }[] {
    return [...this.#known.values()].flatMap(({ topic, pending }) => {
      return pending === undefined ? [] : [{ topic, value: formatWish(pending) }];
    });
  }

  /** @param why It counts as no wish; undefined when it does, or was deleted. */
  #note(key: string, revision: string, why: string | undefined): void {
    if (why === undefined) {
      this.#refused.delete(key);
    } else if (this.#refused.get(key) !== revision) {
      this.#refused.set(key, revision);
      this.#unsaid.push({ key, why });
    }
  }

  #of(key: string, topic: WishTopic): Known {
    const known = this.#known.get(key) ?? {
      topic,
      stored: undefined,
      revision: NO_KEY,
      pending: undefined,
    };
    this.#known.set(key, known);
    return known;
  }
}

function holds({ pending, stored }: Known): SharedWish | undefined {
  return pending ?? stored;
}

/** What was given here is over when etcd has it, or something later. */
function settle(known: Known): void {
  const { pending, stored } = known;
  if (pending !== undefined && stored !== undefined && stored.atMs >= pending.atMs) known.pending = undefined;
}
