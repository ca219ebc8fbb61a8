/** What no part of a plan can see of it alone: names that there are not, times at which no load is left. Pure. */

import type { PathFault } from "../config/findings.ts";
import type { Path } from "../config/place.ts";
import { formatDuration } from "../core/duration.ts";
import { meantBy } from "../core/other_names.ts";
import { noServer } from "./layers.ts";
import type { CheckedPlan } from "./plan_schema.ts";

/** What an event can do. */
export const ACTIONS = ["down", "up", "drain", "enable", "set", "reload"] as const;

export function planFaults(plan: CheckedPlan): PathFault[] {
  return [
    ...serverFaults(plan),
    ...eventFaults(plan),
    ...emptyFaults(plan),
    ...reactionFaults(plan),
    ...shareFaults(plan),
    ...comparisonFaults(plan),
  ];
}

function serverFaults({ servers }: CheckedPlan): PathFault[] {
  const names = servers.map(({ name }) => name);
  return names.flatMap((name, i) =>
    names.indexOf(name) < i
      ? [{ path: ["servers", i], message: `there is a server ${JSON.stringify(name)} already` }]
      : []
  );
}

function eventFaults({ servers, events, load }: CheckedPlan): PathFault[] {
  const names = servers.map(({ name }) => name);
  return events.flatMap((event, i): PathFault[] => {
    const path: Path = ["events", i];
    const actions = ACTIONS.filter((action) => event[action] !== undefined);
    const late = event.atMs < load.durationMs ? [] : [{
      path: [...path, "at"],
      message: `the load is over after ${formatDuration(load.durationMs)}; write an earlier time`,
    }];
    if (actions.length === 0) {
      return [...late, { path, message: `nothing happens; write one of ${ACTIONS.join(", ")}` }];
    }
    const more = actions.slice(1).map((action) => ({
      path: [...path, action],
      message: `an event does one thing; write another event for ${action}`,
      atKey: true,
    }));
    const unknown = actions.flatMap((action) => {
      if (action === "reload") return [];
      const name = event[action] ?? "";
      return names.includes(name) ? [] : [{ path: [...path, action], message: noServer(name, names) }];
    });
    return [...late, ...more, ...unknown, ...changeFaults(event, path)];
  });
}

function changeFaults({ set, change }: CheckedPlan["events"][number], path: Path): PathFault[] {
  const isEmpty = Object.keys(change).length === 0;
  if ((set === undefined) === isEmpty) return [];
  const message = isEmpty
    ? "nothing is set; write what is wrong from then on, as delay: 50ms"
    : "what is wrong with a server is changed by set; write set with its name";
  return [{ path: set === undefined ? path : [...path, "set"], message }];
}

/** A rehearsal in which nothing can fail shows nothing. */
function emptyFaults({ expect: { tolerance: _, compare, ...bounds } }: CheckedPlan): PathFault[] {
  if (compare.length > 0 || Object.values(bounds).some((it) => it !== undefined)) return [];
  return [{ path: ["expect"], message: "nothing must hold; write what must, as errors: 0" }];
}

/** Without anything to notice, or to recover from, a bound would hold whatever the balancer does. */
function reactionFaults({ events, expect }: CheckedPlan): PathFault[] {
  const bounds = [["noticed", "down"], ["recovered", "up"]] as const;
  return bounds.filter(([key, action]) => {
    return expect[key] !== undefined && events.every((event) => event[action] === undefined);
  }).map(([key, action]) => ({
    path: ["expect", key],
    message: `no event has ${action}, so that there is nothing to measure; leave it out`,
    atKey: true,
  }));
}

function shareFaults({ servers, expect: { share } }: CheckedPlan): PathFault[] {
  if (share === undefined || share === "even") return [];
  const names = servers.map(({ name }) => name);
  return Object.keys(share).filter((name) => !names.includes(name)).map((name) => ({
    path: ["expect", "share", name],
    message: noServer(name, names),
    atKey: true,
  }));
}

function comparisonFaults({ variants = {}, expect: { compare } }: CheckedPlan): PathFault[] {
  const names = Object.keys(variants);
  return compare.flatMap(({ of, other }, i) => {
    const path = ["expect", "compare", i];
    const unknown = [...new Set([of, other])].filter((name) => !names.includes(name));
    return unknown.map((name) => {
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
