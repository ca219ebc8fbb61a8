// deno-lint-ignore-file no-await-in-loop -- one connection after the other

/** Keys of etcd with a common prefix, a member each. A watch that breaks is resumed where it broke, at the next endpoint. */

import { reasonOf } from "../core/errors.ts";
import { MAX_MEMBERS, whyTooMany } from "../core/member_limit.ts";
import { sleep } from "../core/sleep.ts";
import { Compacted, type EtcdChanges, EtcdClient, type EtcdEvent, type EtcdOptions } from "./etcd_client.ts";
import { MAX_ANSWER_BYTES } from "./http_answer.ts";
import { FIRST_PAUSE_MS, nextPauseMs } from "./pauses.ts";
import type { Found, Member, Pause, Source } from "./source.ts";

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

/** A connection that is lost before was no good one: the next try comes later than the last. */
const STEADY_MS = 30_000;

/** Keys and values that are kept. */
const MAX_BYTES = MAX_ANSWER_BYTES;

const MAX_SENTENCE = 500;

export function etcdSource(options: EtcdSourceOptions): Source {
  const { endpoints, pause = sleep } = options;
  return {
    follow: async (onFound, onTrouble, stop) => {
      const keys = new Keys(options);
      let [turn, pauseMs] = [0, FIRST_PAUSE_MS];
      while (!stop.aborted) {
        const endpoint = endpoints[turn % endpoints.length] ?? "";
        const startedMs = performance.now();
        try {
          using client = await EtcdClient.open(endpoint, options, stop);
          await keys.follow(client, () => {
            if (!stop.aborted) onFound(keys.found());
          }, stop);
          pauseMs = FIRST_PAUSE_MS;
        } catch (error) {
          if (stop.aborted) return;
          if (performance.now() - startedMs >= STEADY_MS) pauseMs = FIRST_PAUSE_MS;
          if (error instanceof Compacted) {
            keys.forget();
          } else {
            onTrouble(reasonOf(error));
            turn++;
          }
          await pause(pauseMs, stop);
          pauseMs = nextPauseMs(pauseMs);
        }
      }
    },
  };
}

interface Known {
  /** A member, or why it is none. */
  readonly what: Member | string;
  /** Of key and value; a character counts as one. */
  readonly bytes: number;
}

/** What is known of the keys, over all connections. */
class Keys {
  readonly #options: EtcdSourceOptions;
  readonly #members = new Map<string, Known>();
  #bytes = 0;
  /** Up to where they are known; undefined: nothing is. */
  #revision: string | undefined;
  #clusterId = "";

  constructor(options: EtcdSourceOptions) {
    this.#options = options;
  }

  /** Everything is read again the next time. */
  forget(): void {
    this.#revision = undefined;
    this.#members.clear();
    this.#bytes = 0;
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
      // What is too large has been forgotten.
      if (timer !== undefined && this.#revision !== undefined) tell();
      clearTimeout(timer);
    }
  }

  async #readAll(client: EtcdClient, stop: AbortSignal): Promise<string> {
    const { entries, revision, clusterId } = await client.range(this.#options.prefix, MAX_MEMBERS + 1, stop);
    this.forget();
    this.#note(entries);
    this.#clusterId = clusterId;
    return revision;
  }

  #take({ clusterId, revision, events }: EtcdChanges): void {
    // Another cluster, or one that was restored from before: its revisions are others.
    const isOther = clusterId !== this.#clusterId || BigInt(revision) < BigInt(this.#revision ?? "0");
    if (isOther) throw new Compacted();
    this.#note(events);
    this.#revision = events.at(-1)?.revision ?? this.#revision;
  }

  /** @throws {Error} when there is too much. Nothing can follow from a part, so that everything is read again the next time. */
  #note(changes: readonly Pick<EtcdEvent, "key" | "value">[]): void {
    for (const { key, value } of changes) {
      this.#bytes -= this.#members.get(key)?.bytes ?? 0;
      this.#members.delete(key);
      if (value === undefined) continue;
      const bytes = key.length + value.length;
      this.#bytes += bytes;
      this.#members.set(key, { what: this.#read(key, value), bytes });
    }
    const tooLarge = this.#bytes > MAX_BYTES
      ? `the keys and values below ${this.#options.prefix} are larger than ${MAX_BYTES / 1024 / 1024} MiB`
      : whyTooMany(this.#members.size);
    if (tooLarge === undefined) return;
    this.forget();
    throw new Error(tooLarge);
  }

  #read(key: string, value: string): Member | string {
    try {
      return this.#options.parse(value);
    } catch (error) {
      return `key ${JSON.stringify(key)}: ${reasonOf(error)}`.slice(0, MAX_SENTENCE);
    }
  }

  /** In the order of the keys, so that of two with one name every balancer takes the same. */
  found(): Found {
    const sorted = [...this.#members].sort(([one], [other]) => one < other ? -1 : 1);
    const [members, refused]: [Member[], string[]] = [[], []];
    for (const [, { what }] of sorted) {
      if (typeof what === "string") refused.push(what);
      else members.push(what);
    }
    return { members, refused };
  }
}
