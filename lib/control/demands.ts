/** What a configuration asks of the control plane, put as the parts of it want it. Pure. */

import type { Address } from "../core/address.ts";
import type { Config } from "../config/schema.ts";
import type { RecordedSessions } from "../dataplane/record.ts";
import type { WatchedPool } from "../health/backend_health.ts";
import { whereChecked } from "../health/check.ts";
import type { FileNeeds } from "./open_files.ts";
import type { Plan } from "./plan.ts";

/** How many workers there are. */
export function workersOf({ workers }: Config): number {
  return workers === "auto" ? navigator.hardwareConcurrency : workers;
}

/** Whether workers are not to start where the kernel lacks a part of their confinement. */
export function isConfinementRequired({ confinement }: Config): boolean {
  return confinement === "required";
}

/** How long sessions may go on after a reload. */
export function drainTimeoutOf({ reloadDrainTimeoutMs }: Config): number {
  return reloadDrainTimeoutMs === 0 ? Infinity : reloadDrainTimeoutMs;
}

/** A record of a session is a warning at most. */
export function recordsOf({ log }: Config): RecordedSessions {
  return log.level === "error" ? false : log.sessions;
}

/** What it needs of open files. */
export function fileNeeds(config: Config): FileNeeds {
  const checked = Object.values(config.pools).filter(({ healthCheck }) => healthCheck !== undefined);
  return {
    workers: workersOf(config),
    listeners: config.listeners.length,
    hasAdmin: config.admin !== undefined,
    checkedBackends: checked.reduce((sum, pool) => sum + pool.backends.length, 0),
    maxConnections: config.listeners.reduce((sum, listener) => sum + listener.maxConnections, 0),
  };
}

/** The pools of a plan with the rules of their health. */
export function watchedPools(plan: Plan, config: Config): WatchedPool[] {
  return plan.pools.flatMap(({ row, name, backends, introduction, tls }) => {
    const rules = config.pools[name];
    return rules === undefined ? [] : [{ row, name, backends, rules, introduction, tls }];
  });
}

/** Where the backends of a pool are checked; nowhere without checks. */
export function checkedAddresses({ backends, rules }: WatchedPool): { name: string; address: Address }[] {
  const { healthCheck } = rules;
  if (healthCheck === undefined) return [];
  return backends.map(({ name, address }) => ({ name, address: whereChecked(address, healthCheck) }));
}

/** Whether anything asks for totals: the admin side, or the trial of a configuration. */
export function countsSessions({ admin, fleet }: Config): boolean {
  return admin !== undefined || fleet?.rollout !== undefined;
}
