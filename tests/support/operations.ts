/** A test balancer as the admin side sees it. */

import type { Reloaded } from "../../lib/admin/operations.ts";
import type { Balancer } from "../../lib/control/balancer.ts";
import { BalancerOperations, type OperationsOptions } from "../../lib/control/operations.ts";

export interface TestOperationsOptions extends Pick<OperationsOptions, "fleet"> {
  readonly reload?: () => Promise<Reloaded>;
}

/** The caller stops it. */
export function operationsOf(
  balancer: Balancer,
  { fleet, reload = () => Promise.resolve({ ok: true, message: "" }) }: TestOperationsOptions = {},
): BalancerOperations {
  return new BalancerOperations({
    balancer,
    version: "0",
    config: "test",
    log: { dropped: 0 },
    admin: () => undefined,
    ...(fleet === undefined ? {} : { fleet }),
    reloads: { counts: { ok: 0, failed: 0 }, request: reload },
  });
}
