/** The pools of a running balancer, as the admin side shows them. */

import type { BackendStatus, DiscoveryStatus, PoolStatus } from "../admin/status.ts";
import { formatAddress } from "../core/address.ts";
import { availableOf, stateOf } from "../pool/availability.ts";
import type { Backend } from "../pool/backend.ts";
import type { PoolOptions } from "../pool/pool.ts";
import type { BackendRow } from "../pool/row.ts";
import type { Balancer } from "./balancer.ts";
import { certificateStatuses } from "./expiry.ts";
import { type Sums, total } from "./totals.ts";

/** As many members that were left out are shown of a pool. */
const MAX_REFUSED = 20;

/** What is known beside the balancer itself. */
export interface PoolStatusDeps {
  readonly balancer: Balancer;
  readonly startedMs: number;
  /** When the operator last changed a backend, in ms since 1970. */
  readonly changedMs: (row: BackendRow) => number | undefined;
  readonly dialMs: (pool: string, backend: string) => number | null;
}

/**
 * A pool in force.
 *
 * @param leaving Backends that are gone from it and have sessions left.
 */
export function poolStatus(
  pool: PoolOptions,
  leaving: readonly Backend[],
  sums: readonly Sums[],
  deps: PoolStatusDeps,
): PoolStatus {
  const { scoreboard } = deps.balancer;
  const known = pool.backends.map(({ row, isBackup, unresolved }) => {
    return { facts: scoreboard.facts(row), isBackup, unresolved };
  });
  const { primaries, backups } = availableOf(known, pool.tuning.whenAllDown);
  const own = sums.filter((it) => it.pool === pool.name);
  const byBackend = Map.groupBy(own, (it) => it.backend);
  return {
    name: pool.name,
    algorithm: pool.algorithm,
    queued: scoreboard.count(pool.row),
    queue_size: pool.queue?.size ?? 0,
    available: primaries.length + backups.length,
    leaving: false,
    certificates: certificateStatuses(deps.balancer.keys, "pool", pool.name),
    discovery: discoveryStatus(deps.balancer, pool.name),
    sessions_total: total(own, "sessions"),
    refused_total: total(own, "refused"),
    retries_total: total(own, "retries"),
    backends: [...pool.backends, ...leaving].map((backend) => {
      return backendStatus(pool, backend, byBackend.get(backend.name) ?? [], leaving.includes(backend), deps);
    }),
  };
}

function discoveryStatus(balancer: Balancer, pool: string): DiscoveryStatus | null {
  const { membership } = balancer;
  const discovery = membership.discoveries.of(pool);
  if (discovery === undefined) return null;
  return {
    source: discovery.title,
    members: discovery.found.members.length,
    trouble: discovery.trouble,
    since: new Date(discovery.sinceMs).toISOString(),
    refused: membership.refusedIn(pool).slice(0, MAX_REFUSED),
  };
}

/** A pool that is gone: no session is admitted, and all its backends leave. */
export function goneStatus(
  pool: PoolOptions,
  leaving: readonly Backend[],
  sums: readonly Sums[],
  deps: PoolStatusDeps,
): PoolStatus {
  return { ...poolStatus({ ...pool, backends: [] }, leaving, sums, deps), available: 0, leaving: true };
}

function backendStatus(
  pool: PoolOptions,
  backend: Backend,
  sums: readonly Sums[],
  isLeaving: boolean,
  deps: PoolStatusDeps,
): BackendStatus {
  const { scoreboard, health, membership } = deps.balancer;
  const configured = membership.backend(pool.name, backend.name);
  const { name, row, address, otherAddresses = [], isBackup } = backend;
  const facts = scoreboard.facts(row);
  const known = health.of(row);
  const healthMs = known?.sinceMs ?? deps.startedMs;
  const isSteered = facts.operator !== "enabled";
  const sinceMs = isSteered ? deps.changedMs(row) ?? healthMs : healthMs;
  return {
    name,
    address: [address, ...otherAddresses].map(formatAddress).join(", "),
    state: isLeaving ? "leaving" : stateOf(facts),
    reason: isLeaving
      ? "gone from the configuration"
      : isSteered
      ? "as the operator wishes"
      : known?.reason ?? "",
    since: new Date(sinceMs).toISOString(),
    health: known?.isChecked || backend.unresolved !== undefined ? (facts.isUp ? "up" : "down") : "unchecked",
    ejected: facts.isEjected,
    operator: facts.operator,
    weight: facts.weight,
    configured_weight: configured?.weight ?? facts.weight,
    leaving: isLeaving,
    origin: membership.originOf(pool.name, name),
    effective_weight: facts.weight * facts.rampPercent / 100,
    backup: isBackup,
    active: scoreboard.count(row),
    max_connections: facts.maxConnections,
    sessions_total: total(sums, "sessions"),
    dial_failures_total: total(sums, "dialFailures"),
    bytes_in: total(sums, "bytesIn"),
    bytes_out: total(sums, "bytesOut"),
    dial_ms: deps.dialMs(pool.name, name),
  };
}
