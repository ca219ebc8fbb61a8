// deno-lint-ignore-file no-await-in-loop -- one connection after the other

/** Keys of etcd with a common prefix, a member each. A watch that breaks is resumed where it broke, at the next endpoint. */

import { reasonOf } from "../core/errors.ts";
import { sleep } from "../core/sleep.ts";
import { Compacted, type EtcdChanges, EtcdClient, type EtcdOptions } from "./etcd_client.ts";
import { FIRST_PAUSE_MS, nextPauseMs } from "./pauses.ts";
import { type Found, MAX_MEMBERS, type Member, type Pause, type Source, whyTooMany } from "./source.ts";

export interface EtcdSourceOptions extends EtcdOptions {
  /** As `/sockbal/web/`. */
  readonly prefix: string;
  /** Reads the value of a key. Throws an error with one sentence. */
  readonly parse: (value: string) => Member;
  readonly pause?: Pause | undefined;
  /** How long a watch may be silent before it is opened anew; a test may have less. */
  readonly quietMs?: number;
}

/** What changes within it is told at once: to tell of ten thousand members takes a while. */
const TELL_AFTER_MS = 100;

/** A connection that was lost without a word looks like one on which nothing happens. */
const QUIET_MS = 60_000;

export function etcdSource(options: EtcdSourceOptions): Source {
  const { endpoints, pause = sleep } = options;
  return {
    follow: async (onFound, onTrouble, stop) => {
      const keys = new Keys(options);
      let [turn, pauseMs] = [0, FIRST_PAUSE_MS];
      while (!stop.aborted) {
        const endpoint = endpoints[turn % endpoints.length] ?? "";
        try {
          using client = await EtcdClient.open(endpoint, options, stop);
          await keys.follow(client, () => {
            pauseMs = FIRST_PAUSE_MS;
            if (stop.aborted) return;
            const found = keys.found();
            if (typeof found === "string") onTrouble(found);
            else onFound(found);
          }, stop);
        } catch (error) {
          if (stop.aborted) return;
          if (error instanceof Compacted) {
            keys.forget();
            await pause(FIRST_PAUSE_MS, stop);
            continue;
          }
          onTrouble(reasonOf(error));
          turn++;
          await pause(pauseMs, stop);
          pauseMs = nextPauseMs(pauseMs);
        }
      }
    },
  };
}

/** What is known of the keys, over all connections. */
class Keys {
  readonly #options: EtcdSourceOptions;
  /** What is there under each key: a member, or why it is none. */
  readonly #members = new Map<string, Member | string>();
  /** Up to where they are known; undefined: nothing is. */
  #revision: string | undefined;
  #clusterId = "";

  constructor(options: EtcdSourceOptions) {
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
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tell = (): void => {
      clearTimeout(timer);
      timer = undefined;
      onChanged();
    };
    try {
      for await (const changes of client.watch(prefix, next, quietMs, stop)) {
        this.#take(changes);
        timer ??= setTimeout(tell, TELL_AFTER_MS);
      }
    } finally {
      if (timer !== undefined) tell();
    }
  }

  async #readAll(client: EtcdClient, stop: AbortSignal): Promise<string> {
    const { entries, revision, clusterId } = await client.range(this.#options.prefix, MAX_MEMBERS + 1, stop);
    const tooMany = whyTooMany(entries.length);
    // Those beyond the limit are not known, so that nothing can follow from here.
    if (tooMany !== undefined) throw new Error(tooMany);
    this.#members.clear();
    for (const { key, value } of entries) this.#note(key, value);
    this.#clusterId = clusterId;
    return revision;
  }

  #take({ clusterId, revision, events }: EtcdChanges): void {
    // Another cluster, or one that was restored from before: its revisions are others.
    const isOther = clusterId !== this.#clusterId || BigInt(revision) < BigInt(this.#revision ?? "0");
    if (isOther) throw new Compacted();
    for (const { key, value } of events) this.#note(key, value);
    this.#revision = events.at(-1)?.revision ?? this.#revision;
  }

  #note(key: string, value: string | undefined): void {
    if (value === undefined) {
      this.#members.delete(key);
      return;
    }
    try {
      this.#members.set(key, this.#options.parse(value));
    } catch (error) {
      this.#members.set(key, `key ${JSON.stringify(key)}: ${reasonOf(error)}`);
    }
  }

  /** All members, or why they cannot be used. In the order of the keys, so that of two with one name every balancer takes the same. */
  found(): Found | string {
    const tooMany = whyTooMany(this.#members.size);
    if (tooMany !== undefined) return tooMany;
    const sorted = [...this.#members].sort(([one], [other]) => one < other ? -1 : 1);
    return {
      members: sorted.flatMap(([, it]) => typeof it === "string" ? [] : [it]),
      refused: sorted.flatMap(([, it]) => typeof it === "string" ? [it] : []),
    };
  }
}
