/** What a configuration says about backends, put where the data plane looks. */

import type { Config } from "../config/schema.ts";
import { rampAt } from "../health/slow_start.ts";
import { type Backend, isElsewhere } from "../pool/backend.ts";
import type { BackendRow } from "../pool/row.ts";
import { asNew, type BackendFacts, type Scoreboard } from "../pool/scoreboard.ts";
import type { Plan } from "./plan.ts";
import type { Wishes } from "./wishes.ts";

/**
 * Sets up the backends that are new: up, unless the pool says otherwise, and wanted. New is also one that comes back while sessions
 * from before still use its row, and one that has moved to another address. Others stay as they are.
 *
 * The workers of `before` see the change too. Call it when nothing can fail any more, and before a worker may pick by `plan`.
 *
 * @param before What is in force until now.
 * @param wishes What the operator wants of those that come.
 */
export function introduceBackends(
  scoreboard: Scoreboard,
  plan: Plan,
  config: Config,
  before: Plan,
  wishes: Pick<Wishes, "take"> = { take: () => ({}) },
): void {
  const members = new Map(before.pools.flatMap(({ backends }) => backends.map((it) => [it.row, it])));
  setAll(scoreboard, plan, config, ({ backend, pool, now: { weight, maxConnections } }) => {
    const member = members.get(backend.row);
    const asNewHere = asNew(config.pools[pool]?.initial !== "down");
    if (member !== undefined && !isElsewhere(member, backend)) return {};
    scoreboard.clearFailures(backend.row);
    if (member !== undefined) return asNewHere;
    // At the start every backend is new, and none has served.
    const slowStartMs = before.pools.length === 0 ? 0 : config.pools[pool]?.slowStartMs ?? 0;
    const rampPercent = rampAt(0, slowStartMs).percent;
    const wished = wishes.take(pool, backend.name, weight);
    return { ...asNewHere, rampPercent, operator: "enabled", weight, maxConnections, ...wished };
  });
}

/**
 * Sets the weights and limits of a new configuration. Health, the operator's wish and the progress of a slow start stay.
 *
 * @param before What was configured until now: a weight that the file has not changed stays as the operator set it.
 */
export function setFacts(scoreboard: Scoreboard, plan: Plan, config: Config, before: Config): void {
  const earlierWeights = new Map(
    Object.entries(before.pools).map(([pool, { backends }]) => {
      return [pool, new Map(backends.map(({ name, weight }) => [name, weight]))];
    }),
  );
  setAll(scoreboard, plan, config, ({ pool, now: { name, weight, maxConnections } }) => {
    const earlier = earlierWeights.get(pool)?.get(name);
    // One that has just come has its weight.
    return earlier === undefined || earlier === weight ? { maxConnections } : { maxConnections, weight };
  });
}

interface Configured {
  readonly backend: Backend;
  readonly pool: string;
  readonly now: Config["pools"][string]["backends"][number];
}

/** Sets facts about each backend, and tells each pool once. */
function setAll(
  scoreboard: Scoreboard,
  plan: Plan,
  config: Config,
  factsOf: (it: Configured) => Partial<BackendFacts>,
): void {
  for (const { row, name: pool, backends } of plan.pools) {
    const changes = backends.flatMap((backend, i): [BackendRow, Partial<BackendFacts>][] => {
      const now = config.pools[pool]?.backends[i];
      return now === undefined ? [] : [[backend.row, factsOf({ backend, pool, now })]];
    });
    scoreboard.setManyFacts(row, changes);
  }
}
