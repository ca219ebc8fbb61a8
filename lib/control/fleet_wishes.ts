/** What the fleet wants of backends, put into force: for those that there are, and for those that come. */

import type { Order } from "../admin/operations.ts";
import type { SharedWishes } from "../fleet/shared_wishes.ts";
import { keyOfTopic, type SharedWish, type Wanted, type WishTopic } from "../fleet/wish.ts";
import type { BackendRow } from "../pool/row.ts";
import type { BackendFacts } from "../pool/scoreboard.ts";
import type { Balancer } from "./balancer.ts";
import type { Operator } from "./operator.ts";

export class FleetWishes {
  readonly #balancer: Balancer;
  readonly #operator: Operator;
  readonly #wishes: SharedWishes;
  /** Wishes that are in force, by key: what each is about, and which one it is. */
  readonly #inForce = new Map<string, { readonly topic: WishTopic; readonly id: string }>();

  constructor(balancer: Balancer, operator: Operator, wishes: SharedWishes) {
    this.#balancer = balancer;
    this.#operator = operator;
    this.#wishes = wishes;
  }

  /** What is wanted of a backend that comes, and is in force from then on. */
  factsOf(pool: string, backend: string, configuredWeight: number): Partial<BackendFacts> {
    const facts = (["state", "weight"] as const).map((what): Partial<BackendFacts> => {
      const topic: WishTopic = { pool, backend, what };
      const wish = this.#wishes.of(topic);
      if (wish === undefined) return {};
      this.#inForce.set(keyOfTopic(topic), { topic, id: idOf(wish) });
      const { wanted } = wish;
      if ("state" in wanted) return { operator: wanted.state };
      return wanted.over === configuredWeight ? { weight: wanted.weight } : {};
    });
    return Object.assign({}, ...facts);
  }

  /** Does what is wanted and not yet so. @return Whether anything was done. */
  apply(): boolean {
    const { all } = this.#wishes;
    const rows = this.#rows();
    const wanted = new Set<string>();
    let isChanged = false;
    for (const { topic, wish } of all) {
      const key = keyOfTopic(topic);
      const row = rows.get(topic.pool)?.get(topic.backend);
      wanted.add(key);
      if (row === undefined) continue;
      const id = idOf(wish);
      const isNew = this.#inForce.get(key)?.id !== id;
      this.#inForce.set(key, { topic, id });
      const order = this.#orderFor(topic, wish.wanted, row, isNew);
      if (order === undefined) continue;
      this.#operator.steer(topic.pool, topic.backend, order, wish.by);
      isChanged = true;
    }
    for (const [key, { topic }] of this.#inForce) {
      if (wanted.has(key)) continue;
      this.#inForce.delete(key);
      isChanged = this.#takeBack(topic) || isChanged;
    }
    return isChanged;
  }

  /** All that is wanted has been done here already. */
  isInForce(): void {
    for (const { topic, wish } of this.#wishes.all) {
      this.#inForce.set(keyOfTopic(topic), { topic, id: idOf(wish) });
    }
  }

  /** A key was deleted: it is as the configuration has it. */
  #takeBack({ pool, backend, what }: WishTopic): boolean {
    const weight = this.#balancer.membership.backend(pool, backend)?.weight;
    const order: Order | undefined = what === "state"
      ? { do: "enable" }
      : weight === undefined
      ? undefined
      : { do: "weight", weight };
    return order !== undefined && this.#operator.steer(pool, backend, order) !== undefined;
  }

  /** Undefined: it is so already, or is not wanted over what the configuration says now. */
  #orderFor(
    { pool, backend }: WishTopic,
    wanted: Wanted,
    row: BackendRow,
    isNew: boolean,
  ): Order | undefined {
    const { operator, weight } = this.#balancer.scoreboard.facts(row);
    if (!("state" in wanted)) {
      const isMeant = this.#balancer.membership.backend(pool, backend)?.weight === wanted.over;
      return isMeant && weight !== wanted.weight ? { do: "weight", weight: wanted.weight } : undefined;
    }
    const { state, deadlineMs } = wanted;
    // The end of a drain is new even where it drains already.
    if (operator === state && !(isNew && deadlineMs !== undefined)) return undefined;
    if (state === "draining") return { do: "drain", deadlineMs };
    return { do: state === "enabled" ? "enable" : "disable" };
  }

  #rows(): Map<string, Map<string, BackendRow>> {
    return new Map(this.#balancer.plan.pools.map(({ name, backends }) => {
      return [name, new Map(backends.map(({ name, row }) => [name, row]))];
    }));
  }
}

/** What an order asks of the fleet; undefined for one that is for the sessions of this balancer alone. */
export function wantedBy(order: Order, configuredWeight: number | undefined): Wanted | undefined {
  switch (order.do) {
    case "enable":
      return { state: "enabled" };
    case "disable":
      return { state: "disabled" };
    case "drain":
      return {
        state: "draining",
        ...(order.deadlineMs === undefined ? {} : { deadlineMs: order.deadlineMs }),
      };
    case "weight":
      return { weight: order.weight, over: configuredWeight ?? order.weight };
    case "kill":
      return undefined;
  }
}

function idOf({ by, atMs }: SharedWish): string {
  return `${atMs} ${by}`;
}
