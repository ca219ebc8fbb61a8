/** The runs of a plan: each with the configuration that its balancer begins with, and those that reloads bring. Pure. */

import type { PathFault } from "../config/findings.ts";
import { asList, asMap, isMap } from "../config/loose.ts";
import type { Path } from "../config/place.ts";
import { type BalancerSource, changedBy } from "./balancer_source.ts";
import type { PlannedEvent, Variant } from "./plan.ts";
import { durationMs } from "./plan_checks.ts";
import type { CheckedPlan } from "./plan_schema.ts";

const IN_A_FILE = "the balancer's configuration is in a file, of which a plan can change no part";

/** Where the configurations of one run stand. */
export interface RunSources {
  /** Undefined where a plan has only one. */
  readonly name: string | undefined;
  /** The one that the balancer begins with. */
  readonly balancer: BalancerSource;
  /** By the numbers of the events that bring them. */
  readonly reloads: ReadonlyMap<number, BalancerSource>;
}

/** All runs of a plan of any form, and what keeps some of them from being one. What has not its form is passed over. */
export function sourcesOf(document: unknown): { runs: RunSources[]; faults: PathFault[] } {
  const { balancer: value, variants, events } = asMap(document);
  const base = changedBy(undefined, { path: ["balancer"], value });
  if (base === undefined) return { runs: [], faults: [] };
  const faults: PathFault[] = [];
  const run = (name: string | undefined, balancer: BalancerSource): RunSources => {
    const { reloads, faults: more } = reloadsOf(asList(events), balancer);
    faults.push(...more);
    return { name, balancer, reloads };
  };
  const changes = Object.entries(asMap(variants)).filter(([, change]) => isMap(change));
  if (changes.length === 0) return { runs: [run(undefined, base)], faults };
  const runs = changes.flatMap(([name, change]) => {
    const path = ["variants", name];
    const balancer = changedBy(base, { path, value: change });
    if (balancer !== undefined) return [run(name, balancer)];
    faults.push({ path, message: `${IN_A_FILE}; write it in balancer` });
    return [];
  });
  return { runs, faults };
}

/** A reload changes what the one before has left. */
function reloadsOf(
  events: readonly unknown[],
  start: BalancerSource,
): { reloads: Map<number, BalancerSource>; faults: PathFault[] } {
  const faults: PathFault[] = [];
  const reloads = new Map<number, BalancerSource>();
  const inOrder = events.map((event, i) => ({ event: asMap(event), i }))
    .map(({ event: { at, reload }, i }) => ({ atMs: durationMs(at) ?? 0, reload, i }))
    .filter(({ reload }) => typeof reload === "string" || isMap(reload))
    .sort((one, other) => one.atMs - other.atMs);
  let source = start;
  for (const { i, reload } of inOrder) {
    const path: Path = ["events", i, "reload"];
    const next = changedBy(source, { path, value: reload });
    if (next === undefined) {
      faults.push({ path, message: `${IN_A_FILE}; name another file` });
    } else {
      source = next;
      reloads.set(i, next);
    }
  }
  return { reloads, faults };
}

/** The run of a plan that is right. */
export function variantOf(plan: CheckedPlan, { name, balancer, reloads }: RunSources): Variant {
  const events = plan.events.flatMap((event, i) => plannedEvent(event, reloads.get(i)));
  return { name, balancer, events: events.sort((one, other) => one.atMs - other.atMs) };
}

function plannedEvent(
  { atMs, set, change, ...event }: CheckedPlan["events"][number],
  source: BalancerSource | undefined,
): PlannedEvent[] {
  if (source !== undefined) return [{ atMs, do: "reload", source }];
  if (set !== undefined) return [{ atMs, do: "set", server: set, change }];
  for (const action of ["down", "up", "drain", "enable"] as const) {
    const server = event[action];
    if (server !== undefined) return [{ atMs, do: action, server }];
  }
  return [];
}
