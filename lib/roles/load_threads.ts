/** What the threads of a load start from, and what they may do. */

import type { EngineName } from "../config/engine_names.ts";
import { enginePermissions } from "../control/engine_host.ts";
import {
  missingFlag,
  type Permissions,
  socketPermissions,
  workerPermissions,
} from "../control/permissions.ts";
import { isOneFile, workerEntry } from "../control/worker_entry.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import type { LoadPlan } from "../load/plan.ts";
import type { LoadOptions } from "../load/run_load.ts";

/**
 * @param target Whom they load, as it was written.
 * @throws {RunError} when this program may not connect there itself.
 */
export async function loadThreads(
  target: Address,
  plan: LoadPlan,
  engine: EngineName,
): Promise<Pick<LoadOptions, "entry" | "permissions">> {
  return {
    entry: isOneFile ? workerEntry : import.meta.resolve("../load/loader.ts"),
    permissions: workerPermissions(await permissionsOf(target, plan, engine)),
  };
}

async function permissionsOf(
  target: Address,
  { addresses }: LoadPlan,
  engine: EngineName,
): Promise<Permissions> {
  // The sockets of epoll are reached by calls of the system, not of the runtime.
  if (engine === "epoll") return { net: [], read: [], write: [], ...await enginePermissions(engine) };
  const permissions = socketPermissions({ listens: [], dials: addresses, subnets: [] });
  const missing = missingFlag(permissions);
  if (missing === undefined) return permissions;
  throw new RunError(
    `${formatAddress(target)}: sockbal was started without permission to connect there (${missing})`,
  );
}
