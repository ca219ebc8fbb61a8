/** The sources of clients that stand out, as the admin side shows them. */

import type { HeldBackStatus, SourceStatus } from "../admin/status.ts";
import { textOfSource } from "../core/source.ts";
import type { Balancer } from "./balancer.ts";
import { connectionsOf } from "./held_back.ts";

/** As many sources that are held back are shown, and as many that have the most connections. */
const MAX_SOURCES = 20;

/** The sources that were refused most, and why. */
export function heldBackStatuses(balancer: Balancer): HeldBackStatus[] {
  const { heldBack, sources, plan } = balancer;
  const rows = new Map(plan.listeners.map(({ name, row }) => [name, row]));
  return heldBack.busiest(MAX_SOURCES, Date.now()).map(
    ({ listener, reason, source, refused, lastMs }) => {
      const row = rows.get(listener);
      const active = row === undefined ? 0 : connectionsOf(sources, row, source);
      return { source, listener, reason, active, refused, last: new Date(lastMs).toISOString() };
    },
  );
}

/** The sources with the most connections, of the listeners that count them. */
export function busiestSources(balancer: Balancer): SourceStatus[] {
  const { sources, plan } = balancer;
  const limited = plan.listeners.filter(({ greeting }) => greeting?.admission?.perSource !== undefined);
  if (limited.length === 0) return [];
  const names = new Map(limited.map(({ name, row }) => [row, name]));
  return sources.busiest(MAX_SOURCES, [...names.keys()]).map(({ listener, source, count }) => {
    return { source: textOfSource(source), listener: names.get(listener) ?? "", active: count };
  });
}
