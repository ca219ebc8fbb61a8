/** The fleet that a balancer is in, as its configuration says; what is wanted there is put into force here, and the other way. */

import type { Order } from "../admin/operations.ts";
import type { FleetStatus } from "../admin/status.ts";
import type { FleetConfig } from "../config/fleet_schema.ts";
import { sleep } from "../core/sleep.ts";
import { Fleet, type FleetOptions } from "../fleet/fleet.ts";
import { differences } from "../fleet/others.ts";
import { parseWish, type SharedWish } from "../fleet/wish.ts";
import type { Balancer } from "./balancer.ts";
import { configDigest } from "./config_digest.ts";
import { FleetWishes, wantedBy } from "./fleet_wishes.ts";
import type { Operator } from "./operator.ts";
import type { OperatorState, UnsharedWish } from "./state_file.ts";

export interface FleetSideOptions {
  readonly balancer: Balancer;
  readonly operator: Operator;
  readonly version: string;
  /** Called when what is to be kept over a restart may be another thing. */
  readonly onChanged: () => void;
  /** Pauses, and how long a lease is; a test may have others. */
  readonly tuning?: Pick<FleetOptions, "pause" | "ttlS"> | undefined;
}

/** A start waits no longer for what is wanted; what comes later is put into force then. */
const FIRST_ANSWER_MS = 2_000;

/** What was kept without a time is older than everything that etcd has. */
const LONG_AGO_MS = 0;

export class FleetSide {
  readonly #options: FleetSideOptions;
  #fleet: Fleet | undefined;
  /** Of the fleet that it is in. */
  #config: FleetConfig | undefined;
  #wishes: FleetWishes | undefined;
  #unwritten = 0;
  /** Those that it has left. */
  #leaving: Promise<unknown> = Promise.resolve();

  constructor(options: FleetSideOptions) {
    this.#options = options;
    options.balancer.membership.wishes.shared = (...about) => this.#wishes?.factsOf(...about) ?? {};
  }

  /**
   * Joins the fleet before the balancer starts, and waits a moment for what is wanted there.
   *
   * @param kept What the operator wanted before a restart.
   */
  async begin(kept: OperatorState | undefined): Promise<void> {
    const { balancer } = this.#options;
    const fleet = this.#join(balancer.membership.written.fleet);
    if (fleet === undefined) return;
    for (const { pool, backend, wish: { operator, weight, ...wish } } of kept?.wishes ?? []) {
      if (operator !== undefined) {
        fleet.restore({ pool, backend, what: "state" }, longAgo({ state: operator }));
      }
      const over = wish.over ?? balancer.membership.backend(pool, backend)?.weight;
      if (weight === undefined || over === undefined) continue;
      fleet.restore({ pool, backend, what: "weight" }, longAgo({ weight, over }));
    }
    restore(fleet, kept?.unshared ?? []);
    fleet.start();
    const enough = new AbortController();
    await Promise.race([fleet.answered, sleep(FIRST_ANSWER_MS, enough.signal)]);
    enough.abort();
  }

  /** A configuration has come into force. */
  follow(): void {
    const { membership } = this.#options.balancer;
    const { fleet: next } = membership.written;
    if (isSameFleet(next, this.#config)) {
      this.#fleet?.announce(configDigest(membership.written));
      return this.#onWishes();
    }
    const { unshared } = this;
    this.#leaving = Promise.all([this.#leaving, this.#fleet?.stop()]);
    const fleet = this.#join(next);
    if (fleet === undefined) return;
    restore(fleet, unshared);
    fleet.start();
  }

  /** The operator has given an order here, for these backends. */
  give(pool: string, backends: readonly string[], order: Order): void {
    const fleet = this.#fleet;
    if (fleet === undefined) return;
    for (const backend of backends) {
      const over = this.#options.balancer.membership.backend(pool, backend)?.weight;
      const wanted = wantedBy(order, over);
      if (wanted !== undefined) fleet.give({ pool, backend }, wanted);
    }
    this.#wishes?.isInForce();
  }

  /** Wishes that etcd may not have. */
  get unshared(): UnsharedWish[] {
    return (this.#fleet?.wishes.unwritten ?? []).map(({ topic, value }) => ({ ...topic, value }));
  }

  status(): FleetStatus | null {
    const fleet = this.#fleet;
    if (fleet === undefined) return null;
    const { self: { name, address, version, digest }, connection: { isConnected, sinceMs, trouble } } = fleet;
    return {
      name,
      address,
      version,
      digest,
      connected: isConnected,
      since: new Date(sinceMs).toISOString(),
      trouble,
      unshared: fleet.wishes.due.length,
      others: fleet.others().map((it) => ({
        name: it.name,
        address: it.address,
        version: it.version,
        digest: it.digest,
        state: it.state,
        since: new Date(it.sinceMs).toISOString(),
        differs: differences(fleet.self, it),
      })),
    };
  }

  /** Leaves the fleet, within a moment even where etcd does not answer. */
  async stop(): Promise<void> {
    await Promise.all([this.#leaving, this.#fleet?.stop()]);
  }

  #join(config: FleetConfig | undefined): Fleet | undefined {
    const { balancer, operator, version, tuning } = this.#options;
    this.#config = config;
    this.#fleet = undefined;
    this.#wishes = undefined;
    if (config === undefined) return undefined;
    const { etcd, name, advertise } = config;
    const fleet = new Fleet({
      ...etcd,
      self: { name, address: advertise, version, digest: configDigest(balancer.membership.written) },
      log: balancer.journal,
      onWishes: () => this.#fleet === fleet && this.#onWishes(),
      ...tuning,
    });
    this.#fleet = fleet;
    this.#wishes = new FleetWishes(balancer, operator, fleet.wishes);
    return fleet;
  }

  #onWishes(): void {
    const isChanged = this.#wishes?.apply() ?? false;
    const unwritten = this.#fleet?.wishes.due.length ?? 0;
    if (isChanged || unwritten !== this.#unwritten) this.#options.onChanged();
    this.#unwritten = unwritten;
  }
}

/** How changes are tried does not concern the fleet. */
function isSameFleet(one: FleetConfig | undefined, other: FleetConfig | undefined): boolean {
  const [next, before] = [one, other].map((it) => JSON.stringify({ ...it, rollout: undefined }));
  return next === before;
}

/** Wishes that etcd may not have keep their time. */
function restore(fleet: Fleet, unshared: readonly UnsharedWish[]): void {
  for (const { value, ...topic } of unshared) {
    const wish = parseWish(value, topic);
    if (typeof wish !== "string") fleet.restore(topic, wish);
  }
}

function longAgo(wanted: SharedWish["wanted"]): SharedWish {
  return { wanted, by: "", atMs: LONG_AGO_MS };
}
