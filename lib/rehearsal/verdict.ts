/** What a load has come to, held against what must hold. Pure. */

import type { TimeStatistics } from "../load/latencies.ts";
import { count, percent, time } from "../load/numbers.ts";
import {
  type Bounds,
  formatPercent,
  formatTimeBound,
  isTime,
  type Measure,
  type ShareBound,
  type TimeName,
  TIMES,
} from "./bounds.ts";

/** What was measured in one run. */
export interface Measured {
  /** Those that were answered. */
  readonly requests: number;
  readonly errors: number;
  readonly times: TimeStatistics;
  /** Requests that each server has answered, by its name. */
  readonly answers: ReadonlyMap<string, number>;
  /**
   * The longest of all times that a server was down or up before the pool under load did as much; Infinity: it never did. Undefined
   * where no server of that pool went down, or came up.
   */
  readonly noticedMs: number | undefined;
  readonly recoveredMs: number | undefined;
}

/** One thing that must hold, and what was measured. */
export interface Finding {
  readonly what: string;
  readonly wanted: string;
  readonly measured: string;
  readonly holds: boolean;
}

/** Holds one run against the bounds that are for each. */
export function judge(bounds: Bounds, measured: Measured): Finding[] {
  return [
    ...judgeErrors(bounds, measured),
    ...judgeRequests(bounds, measured),
    ...TIMES.flatMap((name) => judgeTime(name, bounds.timesMs[name], measured)),
    ...[...bounds.shares].map(([server, bound]) => judgeShare(server, bound, bounds.tolerance, measured)),
    ...judgeReaction("noticed", bounds.noticedMs, measured.noticedMs),
    ...judgeReaction("recovered", bounds.recoveredMs, measured.recoveredMs),
  ];
}

function judgeErrors({ errors: bound }: Bounds, { errors, requests }: Measured): Finding[] {
  if (bound === undefined) return [];
  const what = "errors";
  if ("count" in bound) {
    const wanted = bound.count === 0 ? "0" : `at most ${count(bound.count)}`;
    return [{ what, wanted, measured: count(errors), holds: errors <= bound.count }];
  }
  const all = errors + requests;
  const part = all === 0 ? 0 : errors / all;
  return [{
    what,
    wanted: `<${formatPercent(bound.part)}`,
    measured: `${count(errors)} of ${count(all)}, ${percent(part)}`,
    holds: part < bound.part,
  }];
}

function judgeRequests({ requests: bound }: Bounds, { requests }: Measured): Finding[] {
  if (bound === undefined) return [];
  return [{
    what: "requests",
    wanted: `at least ${count(bound)}`,
    measured: count(requests),
    holds: requests >= bound,
  }];
}

function judgeTime(name: TimeName, boundMs: number | undefined, measured: Measured): Finding[] {
  if (boundMs === undefined) return [];
  const common = { what: name, wanted: formatTimeBound(boundMs) };
  if (measured.requests === 0) return [{ ...common, measured: NO_ANSWER, holds: false }];
  const ms = valueOf(name, measured);
  return [{ ...common, measured: time(ms), holds: ms < boundMs }];
}

function judgeShare(
  server: string,
  { is, part }: ShareBound,
  tolerance: number,
  { requests, answers }: Measured,
): Finding {
  const wanted = is === "near"
    ? `${formatPercent(part)} ± ${formatPercent(tolerance)}`
    : `${is === "below" ? "<" : ">"}${formatPercent(part)}`;
  const what = `share of ${server}`;
  if (requests === 0) return { what, wanted, measured: NO_ANSWER, holds: false };
  const share = (answers.get(server) ?? 0) / requests;
  const holds = is === "near"
    ? Math.abs(share - part) <= tolerance
    : is === "below"
    ? share < part
    : share > part;
  return { what, wanted, measured: percent(share), holds };
}

function judgeReaction(what: string, boundMs: number | undefined, ms: number | undefined): Finding[] {
  if (boundMs === undefined) return [];
  const common = { what, wanted: formatTimeBound(boundMs) };
  if (ms === undefined) return [{ ...common, measured: "nothing to measure", holds: false }];
  return [{ ...common, measured: ms === Infinity ? "never" : time(ms), holds: ms < boundMs }];
}

const NO_ANSWER = "no answer";

/** Holds the runs against each other. @param runs By the name of their variant; those that were not made are not in it. */
export function compareRuns({ comparisons }: Bounds, runs: ReadonlyMap<string, Measured>): Finding[] {
  return comparisons.map(({ measure, of, is, otherMeasure, other }) => {
    const what = `${measure} of ${of}`;
    const wanted = `${is} ${otherMeasure} of ${other}`;
    const [one, two] = [runs.get(of), runs.get(other)];
    if (one === undefined || two === undefined) return { what, wanted, measured: "no run", holds: false };
    const [value, otherValue] = [valueOf(measure, one), valueOf(otherMeasure, two)];
    return {
      what,
      wanted,
      measured: `${shown(measure, value)}, ${shown(otherMeasure, otherValue)}`,
      holds: isMeasured(measure, one) && isMeasured(otherMeasure, two) &&
        (is === "<" ? value < otherValue : value > otherValue),
    };
  });
}

/** Without an answer there are no times; counts there are. */
function isMeasured(measure: Measure, { requests }: Measured): boolean {
  return !isTime(measure) || requests > 0;
}

function valueOf(measure: Measure, { requests, errors, times }: Measured): number {
  if (measure === "requests") return requests;
  if (measure === "errors") return errors;
  return measure === "p99.9" ? times.p999 : times[measure];
}

function shown(measure: Measure, value: number): string {
  return isTime(measure) ? time(value) : count(value);
}
