/** `rollout` of the fleet: how a changed configuration comes to its balancers. */

import type { z } from "zod";
import { count, duration, section } from "./fields.ts";

/** A rollout that was checked. */
export interface RolloutConfig {
  readonly canary: number;
  readonly waitMs: number;
}

export const rollout: z.ZodType<RolloutConfig, unknown> = section("rollout", {
  canary: count(
    1,
    1_000,
    "How many balancers try a change of the configuration in etcd before the others have it.",
  )
    .prefault(1),
  wait: duration("How long they try it; at least 1s.", 1_000).prefault("30s"),
}).transform(({ canary, wait }) => ({ canary, waitMs: wait }));
