/**
 * The keys of a fleet, read and followed. Below its prefix, `members/NAME` is a balancer, under a lease, and
 * `wishes/POOL/BACKEND/…` what is wanted of a backend.
 */

import type { Recorder } from "../core/log.ts";
import { Compacted, type EtcdClient, type EtcdEvent } from "../discovery/etcd_client.ts";
import { type News, Others } from "./others.ts";
import { SharedWishes } from "./shared_wishes.ts";

export interface FleetKeysOptions {
  readonly prefix: string;
  /** The name of this balancer. */
  readonly name: string;
  readonly log: Recorder;
  /** Called when other wishes may hold. */
  readonly onWishes: () => void;
  /** Called with what the key of this balancer is now. */
  readonly onOwnKey: (value: string | undefined) => void;
}

/** More keys than any fleet has: 10,000 backends with two wishes each. */
const MAX_KEYS = 25_000;

/** So many keys that are no wishes are said at once. */
const MAX_SAID = 20;

/** So much of a key is said. */
const MAX_KEY = 300;

/** A connection that was lost without a word is noticed sooner, by the lease. */
const QUIET_MS = 60_000;

export class FleetKeys {
  readonly wishes: SharedWishes = new SharedWishes();
  readonly others: Others = new Others();
  readonly #options: FleetKeysOptions;
  readonly #prefix: string;
  readonly #members: string;
  readonly #wished: string;
  /** The store that the keys are known of, and up to where; undefined before the first. */
  #store: { readonly clusterId: string; revision: string } | undefined;

  constructor(options: FleetKeysOptions) {
    this.#options = options;
    this.#prefix = options.prefix.replace(/\/?$/, "/");
    this.#members = `${this.#prefix}members/`;
    this.#wished = `${this.#prefix}wishes/`;
  }

  keyOfMember(name: string): string {
    return this.#members + encodeURIComponent(name);
  }

  /** @param key The end of it, as {@linkcode SharedWishes} has it. */
  keyOfWish(key: string): string {
    return this.#wished + key;
  }

  /** Reads all keys. */
  async readAll(client: EtcdClient, stop: AbortSignal): Promise<void> {
    const members = await client.range(this.#members, MAX_KEYS, stop);
    // What changes between the two is followed from the first on.
    const wishes = await client.range(this.#wished, MAX_KEYS, stop);
    if (wishes.entries.length >= MAX_KEYS) {
      throw new Error(`there are ${MAX_KEYS} keys or more below ${this.#wished}`);
    }
    const isFirst = this.#store === undefined;
    const values = new Map(members.entries.map(({ key, value }) => [this.#nameIn(key), value]));
    const news = this.others.learnAll(values, Date.now());
    for (const it of news) if (!isFirst || it.kind !== "joined") this.#tell(it);
    this.wishes.learnAll(
      wishes.entries.map((it) => ({ ...it, key: it.key.slice(this.#wished.length) })),
      isFirst || this.#isSameStore(members),
    );
    this.#store = { clusterId: members.clusterId, revision: members.revision };
    this.#tellRefused();
    this.#options.onWishes();
  }

  /** Follows them until the stop, from where they are known. */
  async watch(client: EtcdClient, stop: AbortSignal): Promise<void> {
    const store = this.#store;
    if (store === undefined) throw new RangeError("Cannot watch keys that were not read");
    while (!stop.aborted) {
      const next = String(BigInt(store.revision) + 1n);
      for await (const changes of client.watch(this.#prefix, next, QUIET_MS, stop)) {
        if (!this.#isSameStore(changes)) throw new Compacted();
        for (const event of changes.events) this.#take(event);
        this.#tellRefused();
        store.revision = changes.events.at(-1)?.revision ?? store.revision;
      }
    }
  }

  /** Another cluster, or one that was restored from before, has other revisions. */
  #isSameStore({ clusterId, revision }: { readonly clusterId: string; readonly revision: string }): boolean {
    return clusterId === this.#store?.clusterId && BigInt(revision) >= BigInt(this.#store.revision);
  }

  #take({ key, value, revision }: EtcdEvent): void {
    if (key.startsWith(this.#wished)) {
      const isOther = this.wishes.learn({ key: key.slice(this.#wished.length), value, revision });
      if (isOther || this.wishes.due.length > 0) this.#options.onWishes();
    } else if (key.startsWith(this.#members)) {
      const name = this.#nameIn(key);
      if (name === this.#options.name) return this.#options.onOwnKey(value);
      const news = this.others.learn(name, value, Date.now());
      if (news !== undefined) this.#tell(news);
    }
  }

  #nameIn(key: string): string {
    const name = key.slice(this.#members.length);
    try {
      return decodeURIComponent(name);
    } catch {
      return name;
    }
  }

  /** Says which keys count as no wish; of many at once, the first ones. */
  #tellRefused(): void {
    const refused = this.wishes.takeRefused();
    refused.slice(0, MAX_SAID).forEach(({ key, why }, i) => {
      const more = i === MAX_SAID - 1 ? refused.length - MAX_SAID : 0;
      const reason = `key ${JSON.stringify(this.keyOfWish(key)).slice(0, MAX_KEY)}: ${why.slice(0, MAX_KEY)}`;
      this.#options.log.warn("fleet_wish_refused", { reason, ...(more > 0 ? { more } : {}) });
    });
  }

  #tell({ kind, who: { name, address } }: News): void {
    const { log, name: own } = this.#options;
    if (name === own) return;
    if (kind === "lost") log.warn("fleet_member_lost", { member: name, address });
    else log.info(`fleet_member_${kind}`, { member: name, address });
  }
}
