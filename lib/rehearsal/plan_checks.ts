/**
 * What no part of a plan can see of it alone: names that there are not, times at which no load is left. Looks at plans of any form, since
 * the schema reports what has not its own. Pure.
 */

import { duration } from "../config/fields.ts";
import type { PathFault } from "../config/findings.ts";
import { asList, asMap, isMap } from "../config/loose.ts";
import { formatPath, type Path } from "../config/place.ts";
import type { Config } from "../config/schema.ts";
import { formatDuration } from "../core/duration.ts";
import { meantBy } from "../core/other_names.ts";
import { noServer } from "./layers.ts";
import { loadedPool } from "./load_target.ts";
import { misbehaviourKeys } from "./misbehaviour_schema.ts";
import { comparison } from "./plan_schema.ts";

/** What an event can do. */
export const ACTIONS = ["down", "up", "drain", "enable", "set", "reload"] as const;

type Loose = Readonly<Record<string, unknown>>;

/** Whether all that stands at a path, and in it, has its form. */
type HasForm = (path: Path) => boolean;

/** @param ofForm What the schema reports; nothing more is said about the same value. */
export function planFaults(document: unknown, ofForm: readonly PathFault[]): PathFault[] {
  const plan = asMap(document);
  const hasForm: HasForm = (path) => !ofForm.some((it) => path.every((step, i) => it.path[i] === step));
  const known = new Set(ofForm.map(({ path }) => formatPath(path)));
  return [
    ...serverFaults(plan),
    ...eventFaults(plan, hasForm),
    ...emptyFaults(plan),
    ...reactionFaults(plan, hasForm),
    ...shareFaults(plan),
    ...comparisonFaults(plan),
  ].filter(({ path }) => !known.has(formatPath(path)));
}

/** The names of its servers; undefined in the place of each that has none. */
export function serverNames(document: unknown): (string | undefined)[] {
  return asList(asMap(document).servers).map((server) => {
    const name = isMap(server) ? server.name : server;
    return typeof name === "string" ? name : undefined;
  });
}

/** The listener that the load is to go to; undefined is the first. */
export function listenerOf(document: unknown): string | undefined {
  const { listener } = asMap(asMap(document).load);
  return typeof listener === "string" ? listener : undefined;
}

/** When an event happens, or how long a load goes on, in ms; undefined for what is no duration. */
export function durationMs(text: unknown): number | undefined {
  return duration("").safeParse(text).data;
}

function serverFaults(plan: Loose): PathFault[] {
  const names = serverNames(plan);
  return names.flatMap((name, i) =>
    name !== undefined && names.indexOf(name) < i
      ? [{ path: ["servers", i], message: `there is a server ${JSON.stringify(name)} already` }]
      : []
  );
}

/** Why a name is that of no server; none where it is, or where no server has a name. */
function unknownServer(name: unknown, plan: Loose, at: Omit<PathFault, "message">): PathFault[] {
  const names = serverNames(plan).filter((it) => it !== undefined);
  if (typeof name !== "string" || names.length === 0 || names.includes(name)) return [];
  return [{ ...at, message: noServer(name, names) }];
}

function eventFaults(plan: Loose, hasForm: HasForm): PathFault[] {
  const endMs = durationMs(asMap(plan.load).duration) ?? Infinity;
  return asList(plan.events).flatMap((written, i): PathFault[] => {
    const event = asMap(written);
    const path: Path = ["events", i];
    const actions = ACTIONS.filter((action) => event[action] !== undefined);
    const late = (durationMs(event.at) ?? 0) < endMs ? [] : [{
      path: [...path, "at"],
      message: `the load is over after ${formatDuration(endMs)}; write an earlier time`,
    }];
    const more = actions.slice(1).map((action) => ({
      path: [...path, action],
      message: `an event does one thing; write another event for ${action}`,
      atKey: true,
    }));
    const unknown = actions.flatMap((action) => {
      return action === "reload" ? [] : unknownServer(event[action], plan, { path: [...path, action] });
    });
    // What is missing may be there, misspelt.
    const missing = hasForm(path) ? missingFaults(event, actions, path) : [];
    return [...late, ...more, ...unknown, ...missing, ...strayFaults(event, actions, path)];
  });
}

/** An event that does nothing, or sets nothing. */
function missingFaults(event: Loose, actions: readonly string[], path: Path): PathFault[] {
  if (actions.length === 0) return [{ path, message: `nothing happens; write one of ${ACTIONS.join(", ")}` }];
  if (event.set === undefined || isChange(event)) return [];
  const message = "nothing is set; write what is wrong from then on, as delay: 50ms";
  return [{ path: [...path, "set"], message }];
}

/** What is wrong with a server, in an event that sets nothing. */
function strayFaults(event: Loose, actions: readonly string[], path: Path): PathFault[] {
  if (actions.length === 0 || event.set !== undefined || !isChange(event)) return [];
  return [{ path, message: "what is wrong with a server is changed by set; write set with its name" }];
}

function isChange(event: Loose): boolean {
  return Object.keys(misbehaviourKeys).some((key) => event[key] !== undefined);
}

/** A rehearsal in which nothing can fail shows nothing. */
function emptyFaults({ expect }: Loose): PathFault[] {
  if (!isMap(expect)) return [];
  const { tolerance: _, compare, ...bounds } = expect;
  if (asList(compare).length > 0 || Object.keys(bounds).length > 0) return [];
  return [{ path: ["expect"], message: "nothing must hold; write what must, as errors: 0" }];
}

/** Without anything to notice, or to recover from, a bound would hold whatever the balancer does. */
function reactionFaults({ events, expect }: Loose, hasForm: HasForm): PathFault[] {
  if (!hasForm(["events"])) return [];
  const bounds = [["noticed", "down"], ["recovered", "up"]] as const;
  return bounds.filter(([key, action]) => {
    return asMap(expect)[key] !== undefined && asList(events).every((it) => asMap(it)[action] === undefined);
  }).map(([key, action]) => ({
    path: ["expect", key],
    message: `no event has ${action}, so that there is nothing to measure; leave it out`,
    atKey: true,
  }));
}

/**
 * A pool that is not watched takes nothing out, and has nothing to take back.
 *
 * @param configs All that come into force in a run, the first of them first.
 */
export function unwatchedFaults(document: unknown, configs: readonly Config[]): PathFault[] {
  const pools = configs.map((config) => loadedPool(listenerOf(document), config));
  const isWatched = configs.some((config, i) => {
    const pool = config.pools[pools[i] ?? ""];
    return pool?.healthCheck !== undefined || (pool?.outlierDetection.consecutiveFailures ?? 0) > 0;
  });
  if (pools[0] === undefined || isWatched) return [];
  const { expect } = asMap(document);
  return ["noticed", "recovered"].filter((key) => asMap(expect)[key] !== undefined).map((key) => ({
    path: ["expect", key],
    message:
      `the pool ${pools[0]}, to which the load goes, has neither health_check nor outlier_detection, ` +
      "so that it takes nothing out; give it one, or leave this out",
    atKey: true,
  }));
}

function shareFaults(plan: Loose): PathFault[] {
  return Object.keys(asMap(asMap(plan.expect).share)).flatMap((name) => {
    return unknownServer(name, plan, { path: ["expect", "share", name], atKey: true });
  });
}

function comparisonFaults(plan: Loose): PathFault[] {
  const names = Object.keys(asMap(plan.variants));
  return asList(asMap(plan.expect).compare).flatMap((written, i) => {
    const path = ["expect", "compare", i];
    const { of, other } = comparison.safeParse(written).data ?? {};
    const unknown = [...new Set([of, other])].filter((name) => name !== undefined && !names.includes(name));
    return unknown.map((name = "") => {
      const near = meantBy(name, names);
      const hint = near !== undefined
        ? `did you mean ${near}?`
        : names.length === 0
        ? "write variants"
        : `use ${names.join(", ")}`;
      return { path, message: `there is no variant ${JSON.stringify(name)}; ${hint}` };
    });
  });
}
