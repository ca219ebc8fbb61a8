/** Whether workers can apply another configuration, or have to be replaced. Pure. */

import type { Config } from "../config/schema.ts";
import type { ListenerOptions } from "../dataplane/messages.ts";
import type { RecordedSessions } from "../dataplane/record.ts";
import { addressesOf, type Backend } from "../pool/backend.ts";
import type { PoolChange, PoolStructure, PoolTuning } from "../pool/pool.ts";
import { countsSessions, isConfinementRequired, recordsOf, workersOf } from "./demands.ts";
import { permitsAll, type Permitted } from "./permissions.ts";
import { hasSources, type Plan } from "./plan.ts";

/** What workers know of a configuration. */
export interface Parts {
  /** Fixed for as long as a worker lives. */
  readonly structure: {
    readonly listeners: readonly ListenerOptions[];
    readonly pools: readonly PoolStructure[];
    /** A narrower one takes permissions away, which only new workers obey. */
    readonly within: Plan["within"];
    readonly workers: number;
    readonly recordSessions: RecordedSessions;
    readonly tallySessions: boolean;
    readonly isConfinementRequired: boolean;
    /** Workers that are not to bind a socket have given that up. */
    readonly mayBind: boolean;
  };
  /** Told as they change, as far as a worker is permitted to dial them. */
  readonly members: readonly (readonly Backend[])[];
  /** Told as it changes. */
  readonly tuning: readonly PoolTuning[];
}

export function partsOf({ listeners, pools, within }: Plan, config: Config): Parts {
  return {
    structure: {
      listeners,
      pools: pools.map(({ tuning: _, backends: __, ...structure }) => structure),
      within,
      workers: workersOf(config),
      recordSessions: recordsOf(config),
      tallySessions: countsSessions(config),
      isConfinementRequired: isConfinementRequired(config),
      mayBind: hasSources(pools),
    },
    members: pools.map(({ backends }) => backends),
    tuning: pools.map(({ tuning }) => tuning),
  };
}

/** Whether workers that run `before` can apply `after`. */
export function canFollow(before: Parts, after: Parts, permitted: Permitted): boolean {
  return isSame(before.structure, after.structure) &&
    permitsAll(permitted, after.members.flat().flatMap(addressesOf));
}

/** The pools that differ. Both plans have the same pools in the same order. */
export function changesBetween(before: Plan, after: Plan): PoolChange[] {
  return after.pools.flatMap(({ row, tuning, backends }, i) => {
    const known = before.pools[i];
    return isSame([known?.tuning, known?.backends], [tuning, backends]) ? [] : [{ row, tuning, backends }];
  });
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
