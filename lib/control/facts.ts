/** What a configuration says about backends, put where the data plane looks. */

import type { Config } from "../config/schema.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";
import type { Plan } from "./plan.ts";

/** Sets up the backends that nobody has used yet: they are up, and wanted. Others stay as they are. */
export function introduceBackends(scoreboard: Scoreboard, plan: Plan, config: Config): void {
  for (const { row, now } of configured(plan, config)) {
    // A row that nobody has used is all zero; no backend that was set up has so little of its weight.
    if (scoreboard.facts(row).rampPercent > 0) continue;
    const { weight, maxConnections } = now;
    scoreboard.setFacts(row, { isUp: true, rampPercent: 100, weight, maxConnections });
  }
  tellChanged(scoreboard, plan);
}

/**
 * Sets the weights and limits of a new configuration. Health, the operator's wish and the progress of a slow start stay.
 *
 * @param before What was configured until now: a weight that the file has not changed stays as the operator set it.
 */
export function setFacts(scoreboard: Scoreboard, plan: Plan, config: Config, before: Config): void {
  for (const { row, pool, now } of configured(plan, config)) {
    const earlier = before.pools[pool]?.backends.find((it) => it.name === now.name);
    const { weight, maxConnections } = now;
    scoreboard.setFacts(row, { maxConnections, ...(earlier?.weight === weight ? {} : { weight }) });
  }
  tellChanged(scoreboard, plan);
}

interface Configured {
  readonly row: number;
  readonly pool: string;
  readonly now: Config["pools"][string]["backends"][number];
}

function* configured(plan: Plan, config: Config): Generator<Configured> {
  for (const { name: pool, backends } of plan.pools) {
    for (const [i, { row }] of backends.entries()) {
      const now = config.pools[pool]?.backends[i];
      if (now !== undefined) yield { row, pool, now };
    }
  }
}

function tellChanged(scoreboard: Scoreboard, plan: Plan): void {
  for (const { row } of plan.pools) scoreboard.tellChanged(row);
}
