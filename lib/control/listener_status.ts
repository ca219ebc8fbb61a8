/** The listeners of a running balancer, as the admin side shows them. */

import type { ListenerStatus, RateLimitStatus } from "../admin/status.ts";
import { formatAddress } from "../core/address.ts";
import { type ListenerOptions, socketsOf } from "../dataplane/messages.ts";
import type { Balancer } from "./balancer.ts";
import { certificateStatuses } from "./expiry.ts";
import { FAILURES, type Sums, total } from "./totals.ts";

/**
 * Those that accept, then those that are gone and have sessions left.
 *
 * @param leaving Of earlier plans.
 */
export function listenerStatuses(
  balancer: Balancer,
  leaving: readonly ListenerOptions[],
  sums: readonly Sums[],
): ListenerStatus[] {
  const { plan, scoreboard } = balancer;
  const status = (
    listener: ListenerOptions,
    pools: readonly string[],
    isLeaving: boolean,
  ): ListenerStatus => {
    const own = sums.filter((it) => it.listener === listener.name);
    return {
      name: listener.name,
      address: socketsOf(listener).map(formatAddress).join(", "),
      pools,
      active: scoreboard.count(listener.sessionsRow),
      max_connections: listener.maxConnections,
      max_flows: listener.flows?.maxFlows ?? 0,
      max_connections_per_source: listener.greeting?.admission?.perSource?.maxConnections ?? 0,
      rate_limit: rateLimitStatus(listener.rateLimit),
      leaving: isLeaving,
      certificates: isLeaving ? [] : certificateStatuses(balancer.keys, "listener", listener.name),
      sessions_total: total(own, "sessions"),
      refused_total: total(own, "refused"),
      refused_by: refusedBy(own),
      bytes_in: total(own, "bytesIn"),
      bytes_out: total(own, "bytesOut"),
      datagrams_dropped: {
        rate_limit: total(own, "droppedOverLimit"),
        no_room: total(own, "droppedNoRoom"),
      },
    };
  };
  return [
    ...plan.listeners.map((it) => {
      const rows = new Set([...it.greeting?.routes.map(({ pool }) => pool) ?? [], it.pool]);
      const pools = [...rows].flatMap((row) => plan.pools.find((pool) => pool.row === row)?.name ?? []);
      return status(it, pools, false);
    }),
    ...leaving.map((it) => status(it, [], true)),
  ];
}

function rateLimitStatus(limit: ListenerOptions["rateLimit"]): RateLimitStatus {
  return {
    in: limit?.in ?? 0,
    out: limit?.out ?? 0,
    total_in: limit?.totalIn ?? 0,
    total_out: limit?.totalOut ?? 0,
  };
}

/** Sessions that were refused, by reason. A backend that was lost is none. */
function refusedBy(sums: readonly Sums[]): Record<string, number> {
  return Object.fromEntries(
    FAILURES.flatMap(({ end, isRefusal }, i) => {
      const count = sums.reduce((sum, it) => sum + (it.failures[i] ?? 0), 0);
      return isRefusal && count > 0 ? [[end, count]] : [];
    }),
  );
}
