// deno-lint-ignore-file no-await-in-loop -- one connection after the other

/** All keys of etcd with a common prefix, as they change. A watch that breaks is resumed where it broke, at the next endpoint. */

import { reasonOf } from "../core/errors.ts";
import { sleep } from "../core/sleep.ts";
import { Compacted, type EtcdChanges, EtcdClient, type EtcdOptions } from "./etcd_client.ts";
import { MAX_ANSWER_BYTES } from "./http_answer.ts";
import { FIRST_PAUSE_MS, nextPauseMs } from "./pauses.ts";
import type { Pause } from "./source.ts";

export interface EtcdKeysOptions extends EtcdOptions {
  readonly prefix: string;
  readonly maxKeys: number;
  /** Why so many keys are refused, in one sentence; undefined when they are not. */
  readonly whyTooMany: (keys: number) => string | undefined;
  readonly pause?: Pause | undefined;
  /** How long a watch may be silent before it is opened anew; a test may have less. */
  readonly quietMs?: number | undefined;
}

/** What is there under each key, and the revision of its last change. */
export type Values = ReadonlyMap<string, { readonly value: string; readonly revision: string }>;

/** A connection that was lost without a word looks like one on which nothing happens. */
const QUIET_MS = 60_000;

/** A connection that is lost before was no good one: the next try comes later than the last. */
const STEADY_MS = 30_000;

/** Keys and values that are kept. A character counts as one byte. */
const MAX_BYTES = MAX_ANSWER_BYTES;

/**
 * Tells of the keys and of every change of them until `stop`: once what is known is whole, and then after each answer. Why they
 * cannot be known is told each time that all endpoints were tried, with growing pauses; that they can be again, by telling of them.
 * Never rejects.
 */
export async function followKeys(
  options: EtcdKeysOptions,
  onValues: (values: Values) => void,
  onTrouble: (why: string) => void,
  stop: AbortSignal,
): Promise<void> {
  const { endpoints, pause = sleep } = options;
  const keys = new Keys(options);
  let [turn, failed, pauseMs] = [0, 0, FIRST_PAUSE_MS];
  while (!stop.aborted) {
    const startedMs = performance.now();
    try {
      using client = await EtcdClient.open(endpoints[turn % endpoints.length] ?? "", options, stop);
      await keys.follow(client, () => {
        if (!stop.aborted) onValues(keys.values);
      }, stop);
      [failed, pauseMs] = [0, FIRST_PAUSE_MS];
    } catch (error) {
      if (stop.aborted) return;
      if (performance.now() - startedMs >= STEADY_MS) [failed, pauseMs] = [0, FIRST_PAUSE_MS];
      if (error instanceof Compacted) {
        keys.forget();
      } else {
        turn++;
        // The others are asked at once: only when each has failed it is trouble.
        if (++failed % endpoints.length !== 0) continue;
        onTrouble(reasonOf(error));
      }
      await pause(pauseMs, stop);
      pauseMs = nextPauseMs(pauseMs);
    }
  }
}

/** What is known of the keys, over all connections. */
class Keys {
  /** As they were when all of it was known last. */
  values = new Map<string, { readonly value: string; readonly revision: string }>();
  readonly #options: EtcdKeysOptions;
  #bytes = 0;
  /** Up to where they are known; undefined: nothing is. */
  #revision: string | undefined;
  #clusterId = "";

  constructor(options: EtcdKeysOptions) {
    this.#options = options;
  }

  /** Everything is read again the next time. */
  forget(): void {
    this.#revision = undefined;
  }

  /** Reads all keys if need be, then follows them; returns when the watch has been silent for too long. */
  async follow(client: EtcdClient, onChanged: () => void, stop: AbortSignal): Promise<void> {
    const { prefix, quietMs = QUIET_MS } = this.#options;
    let revision = this.#revision;
    if (revision === undefined) {
      this.#revision = revision = await this.#readAll(client, stop);
      onChanged();
    }
    const next = String(BigInt(revision) + 1n);
    for await (const changes of client.watch(prefix, next, quietMs, stop)) {
      this.#take(changes);
      onChanged();
    }
  }

  async #readAll(client: EtcdClient, stop: AbortSignal): Promise<string> {
    const { prefix, maxKeys } = this.#options;
    const { entries, revision, clusterId } = await client.range(prefix, maxKeys + 1, stop);
    const bytes = entries.reduce((sum, { key, value }) => sum + bytesOf(key, value), 0);
    this.#check(entries.length, bytes);
    this.values = new Map(entries.map(({ key, ...rest }) => [key, rest]));
    this.#bytes = bytes;
    this.#clusterId = clusterId;
    return revision;
  }

  #take({ clusterId, revision, events }: EtcdChanges): void {
    // Another cluster, or one that was restored from before: its revisions are others.
    const isOther = clusterId !== this.#clusterId || BigInt(revision) < BigInt(this.#revision ?? "0");
    if (isOther) throw new Compacted();
    const last = new Map(events.map((event) => [event.key, event]));
    let [count, bytes] = [this.values.size, this.#bytes];
    for (const { key, value } of last.values()) {
      const before = this.values.get(key)?.value;
      count += Number(value !== undefined) - Number(before !== undefined);
      bytes += bytesOf(key, value) - bytesOf(key, before);
    }
    this.#check(count, bytes);
    for (const { key, value, revision } of last.values()) {
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, { value, revision });
    }
    this.#bytes = bytes;
    this.#revision = events.at(-1)?.revision ?? this.#revision;
  }

  /** @throws {Error} when there is too much. Nothing can follow from a part, so that everything is read again the next time. */
  #check(count: number, bytes: number): void {
    const { prefix, whyTooMany } = this.#options;
    const tooLarge = bytes > MAX_BYTES
      ? `the keys and values below ${prefix} are larger than ${MAX_BYTES / 1024 / 1024} MiB`
      : whyTooMany(count);
    if (tooLarge === undefined) return;
    this.forget();
    throw new Error(tooLarge);
  }
}

function bytesOf(key: string, value: string | undefined): number {
  return value === undefined ? 0 : key.length + value.length;
}
