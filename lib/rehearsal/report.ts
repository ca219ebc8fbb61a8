/** What a rehearsal says: the lines of its timeline, and its verdict. Pure. */

import { formatDuration } from "../core/duration.ts";
import { count } from "../load/numbers.ts";
import type { Plan } from "./plan.ts";
import type { Finding } from "./verdict.ts";

/** Select graphic rendition (ECMA-48). */
const [BOLD, DIM, RED, GREEN] = [1, 2, 31, 32];

function paint(text: string, code: number, isColoured: boolean): string {
  return isColoured ? `\x1b[${code}m${text}\x1b[0m` : text;
}

/** What is rehearsed, and what every run of it has. */
export function headline({ name, servers, load }: Plan, isColoured: boolean): string {
  const { connections, rate, rampMs, durationMs, keepConnections } = load;
  const how = [
    servers.map(({ name }) => name).join(", "),
    `${count(connections)} connection${connections === 1 ? "" : "s"}${
      keepConnections ? "" : " at once, one a request"
    }`,
    rate === 0 ? "closed loop" : `${count(rate)} requests a second`,
    `for ${formatDuration(durationMs)}${rampMs === 0 ? "" : `, ramp ${formatDuration(rampMs)}`}`,
  ];
  return `${paint(name, BOLD, isColoured)}\n  ${how.join("; ")}\n`;
}

/** The beginning of a run. */
export function variantLine(variant: string, isColoured: boolean): string {
  return `\n${paint(variant, BOLD, isColoured)}\n`;
}

/** Who a line of the timeline is about: what the plan does, what the balancer makes of it, what the load sees. */
export type Teller = "plan" | "balancer" | "load";

/** `  1.003 s  two goes down`. */
export function timelineLine(atMs: number, teller: Teller, text: string, isColoured: boolean): string {
  const time = `${(Math.max(0, atMs) / 1_000).toFixed(3).padStart(7)} s`;
  const told = teller === "plan" ? text : `  ${teller}: ${text}`;
  return `${paint(time, DIM, isColoured)}  ${told}\n`;
}

/** Findings of one run, or of all of them together. */
export interface FindingsOfRun {
  /** Undefined where there is only one. */
  readonly run: string | undefined;
  readonly findings: readonly Finding[];
}

/** The table of what must hold. Lines, each ended. */
export function verdictText(runs: readonly FindingsOfRun[], isColoured: boolean): string {
  const titles = ["what must hold", "wanted", "measured"];
  const rows = runs.flatMap(({ run, findings }) => {
    return findings.map(({ what, wanted, measured, holds }) => ({
      cells: [run === undefined ? what : `${run}: ${what}`, wanted, measured],
      holds,
    }));
  });
  const widths = titles.map((title, i) => {
    return Math.max(title.length, ...rows.map(({ cells }) => cells[i]?.length ?? 0));
  });
  const line = (cells: readonly string[]): string =>
    cells.map((it, i) => it.padEnd(widths[i] ?? 0)).join("  ");
  return [
    paint(line(titles).trimEnd(), BOLD, isColoured),
    ...rows.map(({ cells, holds }) => {
      const verdict = holds ? paint("holds", GREEN, isColoured) : paint("FAILS", RED, isColoured);
      return `${line(cells)}  ${verdict}`;
    }),
  ].map((it) => `${it}\n`).join("");
}

/** Why a rehearsal has failed, in one sentence; undefined when it has not. */
export function whyFailed(
  runs: readonly FindingsOfRun[],
  stoppedAtMs: number | undefined,
): string | undefined {
  const findings = runs.flatMap((it) => it.findings);
  const failed = findings.filter(({ holds }) => !holds).length;
  if (stoppedAtMs !== undefined) {
    return `stopped after ${formatDuration(Math.round(stoppedAtMs))}, before its end`;
  }
  if (failed === 0) return undefined;
  if (findings.length === 1) return "what must hold does not";
  return `of ${findings.length} things that must hold, ${failed} ${failed === 1 ? "does" : "do"} not`;
}
