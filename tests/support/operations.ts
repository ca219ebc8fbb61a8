/** A test balancer as the admin side sees it. */

import type { Reloaded } from "../../lib/admin/operations.ts";
import type { Balancer } from "../../lib/control/balancer.ts";
import { BalancerOperations } from "../../lib/control/operations.ts";

/** The caller stops it. */
export function operationsOf(
  balancer: Balancer,
  reload = (): Promise<Reloaded> => Promise.resolve({ ok: true, message: "" }),
): BalancerOperations {
  return new BalancerOperations({
    balancer,
    version: "0",
    config: "test",
    log: { dropped: 0 },
    admin: () => undefined,
    reloads: { counts: { ok: 0, failed: 0 }, request: reload },
  });
}
