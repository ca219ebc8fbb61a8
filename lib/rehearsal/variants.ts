/** The runs of a plan: each with the configuration that its balancer begins with, and those that reloads bring. Pure. */

import type { PathFault } from "../config/findings.ts";
import { type BalancerSource, changedBy } from "./balancer_source.ts";
import type { PlannedEvent, Variant } from "./plan.ts";
import type { CheckedPlan } from "./plan_schema.ts";

const IN_A_FILE = "the balancer's configuration is in a file, of which a plan can change no part";

/** All variants, and what keeps some of them from being one. */
export function variantsOf(plan: CheckedPlan): { variants: Variant[]; faults: PathFault[] } {
  const faults: PathFault[] = [];
  const base = changedBy(undefined, { path: ["balancer"], value: plan.balancer });
  const changes: [name: string | undefined, change: unknown][] = Object.entries(plan.variants ?? {});
  if (changes.length === 0) changes.push([undefined, {}]);
  const variants = changes.flatMap(([name, value]) => {
    const path = name === undefined ? ["balancer"] : ["variants", name];
    const balancer = name === undefined ? base : changedBy(base, { path, value });
    if (balancer === undefined) {
      faults.push({ path, message: `${IN_A_FILE}; write it in balancer` });
      return [];
    }
    const { events, faults: more } = eventsOf(plan, balancer);
    // They are the same in every variant.
    if (name === undefined || name === changes[0]?.[0]) faults.push(...more);
    return [{ name, balancer, events }];
  });
  return { variants, faults };
}

/** A reload changes what the one before has left. */
function eventsOf(
  plan: CheckedPlan,
  start: BalancerSource,
): { events: PlannedEvent[]; faults: PathFault[] } {
  const faults: PathFault[] = [];
  const inOrder = plan.events.map((event, i) => ({ ...event, i })).sort((one, other) =>
    one.atMs - other.atMs
  );
  let source = start;
  const events = inOrder.flatMap(({ atMs, i, reload, change, ...event }): PlannedEvent[] => {
    if (reload !== undefined) {
      const path = ["events", i, "reload"];
      const next = changedBy(source, { path, value: reload });
      if (next === undefined) {
        faults.push({ path, message: `${IN_A_FILE}; name another file` });
        return [];
      }
      source = next;
      return [{ atMs, do: "reload", source }];
    }
    if (event.set !== undefined) return [{ atMs, do: "set", server: event.set, change }];
    for (const action of ["down", "up", "drain", "enable"] as const) {
      const server = event[action];
      if (server !== undefined) return [{ atMs, do: action, server }];
    }
    return [];
  });
  return { events, faults };
}
