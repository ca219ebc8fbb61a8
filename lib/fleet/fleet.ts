// deno-lint-ignore-file no-await-in-loop -- one connection after the other

/**
 * What balancers of one service share through etcd: who they are, and what the operator wants of backends. Without etcd everything
 * goes on as it was last known.
 */

import { reasonOf } from "../core/errors.ts";
import type { Recorder } from "../core/log.ts";
import { sleep } from "../core/sleep.ts";
import { Compacted, EtcdClient, type EtcdOptions } from "../discovery/etcd_client.ts";
import { writeIf } from "../discovery/etcd_writes.ts";
import { FIRST_PAUSE_MS, nextPauseMs } from "../discovery/pauses.ts";
import type { Pause } from "../discovery/source.ts";
import { FleetKeys } from "./fleet_keys.ts";
import { Link } from "./link.ts";
import { MembershipKey } from "./membership_key.ts";
import type { OtherBalancer } from "./others.ts";
import type { Registration } from "./registration.ts";
import type { DueWish, SharedWishes } from "./shared_wishes.ts";
import { formatWish, type SharedWish, type Wanted, whatOf, type WishTopic } from "./wish.ts";

export interface FleetOptions extends EtcdOptions {
  /** What all keys begin with, as `/sockbal/`. */
  readonly prefix: string;
  readonly self: Omit<Registration, "run" | "isLeaving">;
  readonly log: Recorder;
  /** Called when other wishes may hold, and every few seconds. */
  readonly onWishes: () => void;
  /** Waits before etcd is tried again; a test may have another clock. */
  readonly pause?: Pause;
  /** How long this balancer is known without a word of it; a test may have less. */
  readonly ttlS?: number;
}

/** How it is with etcd. */
export interface FleetConnection {
  readonly isConnected: boolean;
  /** Since when that is so, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** Why it is not connected, or not registered; empty when it is. */
  readonly trouble: string;
}

const TTL_S = 10;

/** At the end nothing waits longer for etcd. */
const LEAVE_MS = 1_000;

/** So many wishes are written at once. */
const WRITES = 50;

export class Fleet {
  readonly #options: FleetOptions;
  readonly #keys: FleetKeys;
  readonly #key: MembershipKey;
  readonly #link: Link;
  readonly #stop = new AbortController();
  #self: Registration;
  #endpoint = "";
  #saidTaken = "";
  #hasWork = Promise.withResolvers<void>();
  #following: Promise<void> = Promise.resolve();

  constructor(options: FleetOptions) {
    const { prefix, self, log, onWishes, ttlS = TTL_S } = options;
    this.#options = options;
    this.#self = { ...self, run: crypto.randomUUID(), isLeaving: false };
    this.#link = new Link(prefix, log);
    this.#keys = new FleetKeys({
      prefix,
      name: self.name,
      log,
      onWishes: () => {
        onWishes();
        this.#hasWork.resolve();
      },
      onOwnKey: (value) => {
        if (this.#key.isOwn(value)) return;
        this.#key.forget();
        this.#hasWork.resolve();
      },
    });
    this.#key = new MembershipKey(this.#keys.keyOfMember(self.name), ttlS);
  }

  start(): void {
    this.#following = this.#follow();
  }

  /** Resolves when etcd has answered, or could not be reached. */
  get answered(): Promise<void> {
    return this.#link.answered;
  }

  get wishes(): SharedWishes {
    return this.#keys.wishes;
  }

  /** What this balancer says of itself. */
  get self(): Registration {
    return this.#self;
  }

  get connection(): FleetConnection {
    const { isConnected, sinceMs, trouble } = this.#link;
    const { holder } = this.#key;
    return {
      isConnected,
      sinceMs,
      trouble: isConnected && holder !== undefined ? whyTaken(holder) : trouble,
    };
  }

  /** The other balancers, by name. */
  others(): OtherBalancer[] {
    return this.#keys.others.all(Date.now()).filter(({ name }) => name !== this.#self.name);
  }

  /** Another configuration is in force. */
  announce(digest: string): void {
    if (digest === this.#self.digest) return;
    this.#self = { ...this.#self, digest };
    this.#hasWork.resolve();
  }

  /** The operator wants something of a backend: it holds here at once, and for all as soon as etcd has it. */
  give(topic: Omit<WishTopic, "what">, wanted: Wanted): void {
    this.wishes.give({ ...topic, what: whatOf(wanted) }, { wanted, by: this.#self.name }, Date.now());
    this.#hasWork.resolve();
  }

  /** A wish from before a restart, which etcd may not have. */
  restore(topic: WishTopic, wish: SharedWish): void {
    this.wishes.restore(topic, wish);
    this.#hasWork.resolve();
  }

  /** Takes this balancer out of the fleet. Where etcd does not answer within a second, its lease runs out. Never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const wasConnected = this.#link.end();
    // A file of a password or certificate may be one that cannot be read to its end.
    const enough = new AbortController();
    await Promise.race([this.#following, sleep(LEAVE_MS, enough.signal)]);
    enough.abort();
    if (!wasConnected) return;
    const late = AbortSignal.timeout(LEAVE_MS);
    try {
      using client = await EtcdClient.open(this.#endpoint, this.#options, late);
      await this.#writeDue(client, late);
      await this.#key.leave(client, this.#self, late);
    } catch (error) {
      this.#options.log.warn("fleet_not_left", { reason: reasonOf(error) });
    }
  }

  async #follow(): Promise<void> {
    const { endpoints, pause = sleep } = this.#options;
    const stop = this.#stop.signal;
    let [turn, pauseMs] = [0, FIRST_PAUSE_MS];
    while (!stop.aborted) {
      this.#endpoint = endpoints[turn % endpoints.length] ?? "";
      try {
        using client = await EtcdClient.open(this.#endpoint, this.#options, stop);
        await this.#converse(client, () => pauseMs = FIRST_PAUSE_MS);
      } catch (error) {
        if (stop.aborted) return;
        if (error instanceof Compacted) {
          await pause(FIRST_PAUSE_MS, stop);
          continue;
        }
        turn++;
        // The others are asked at once: only when none answers it is away.
        if (turn % endpoints.length !== 0) continue;
        this.#link.failed(reasonOf(error));
        await pause(pauseMs, stop);
        pauseMs = nextPauseMs(pauseMs);
      }
    }
  }

  /** Registers, reads all keys, and follows them until the connection is lost. */
  async #converse(client: EtcdClient, onConnected: () => void): Promise<void> {
    const over = new AbortController();
    const stop = AbortSignal.any([this.#stop.signal, over.signal]);
    await this.#key.keep(client, stop);
    await this.#register(client, stop);
    await this.#keys.readAll(client, stop);
    onConnected();
    this.#link.connected(this.others().length);
    const tasks = [
      this.#keys.watch(client, stop),
      this.#keep(client, stop),
      this.#write(client, stop),
    ];
    try {
      await Promise.race(tasks);
    } finally {
      over.abort();
      await Promise.allSettled(tasks);
    }
  }

  /** Keeps the lease, three times as often as it needs. */
  async #keep(client: EtcdClient, stop: AbortSignal): Promise<void> {
    const everyMs = (this.#options.ttlS ?? TTL_S) * 1_000 / 3;
    for (;;) {
      await sleep(everyMs, stop);
      if (stop.aborted) return;
      await this.#key.keep(client, stop);
      this.#options.onWishes();
      this.#hasWork.resolve();
    }
  }

  /** Writes what this balancer says, whenever there is something. */
  async #write(client: EtcdClient, stop: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<void>();
    stop.addEventListener("abort", () => over.resolve(), { once: true });
    while (!stop.aborted) {
      this.#hasWork = Promise.withResolvers();
      await this.#register(client, stop);
      await this.#writeDue(client, stop);
      await Promise.race([this.#hasWork.promise, over.promise]);
    }
  }

  async #register(client: EtcdClient, stop: AbortSignal): Promise<void> {
    await this.#key.register(client, this.#self, stop);
    const { holder } = this.#key;
    const taken = holder === undefined ? "" : whyTaken(holder);
    if (taken === this.#saidTaken) return;
    this.#saidTaken = taken;
    const { log } = this.#options;
    if (taken === "") log.info("fleet_name_free", { name: this.#self.name });
    else log.warn("fleet_name_taken", { reason: taken });
  }

  async #writeDue(client: EtcdClient, stop: AbortSignal): Promise<void> {
    const { due } = this.wishes;
    for (let first = 0; first < due.length; first += WRITES) {
      await Promise.all(due.slice(first, first + WRITES).map((it) => this.#writeWish(client, it, stop)));
    }
  }

  /** One that has changed meanwhile comes by the watch, and is decided again then. */
  async #writeWish(client: EtcdClient, due: DueWish, stop: AbortSignal): Promise<void> {
    const key = this.#keys.keyOfWish(due.key);
    const condition = { key, revision: due.revision };
    const written = await writeIf(client, [condition], [{ key, value: formatWish(due.wish) }], stop);
    if (written !== undefined) this.wishes.written(due, written);
  }
}

function whyTaken({ name, address }: Registration): string {
  return `another balancer is called ${JSON.stringify(name)}, at ${address}; give each a name of its own`;
}
