// deno-lint-ignore-file no-console -- the table is the product

/** All figures of a run as one table: medians, and the ratios to HAProxy (of UDP to nginx), round by round. */

import { median, pairedRatio, short } from "./stats.ts";

/** Figures by what was measured and of whom, one a round. */
export type Figures = Map<string, Map<string, number[]>>;

/** Whose figures the others are divided by: the first that has any. */
const BASES = ["haproxy", "nginx"];

/** The column of the backends without any proxy. */
export const DIRECT = "direct";

const NAME_WIDTH = 46;
const CELL_WIDTH = 17;

export function keep(figures: Figures, target: string, taken: Record<string, number>): void {
  for (const [name, value] of Object.entries(taken)) {
    const ofName = figures.get(name) ?? new Map<string, number[]>();
    ofName.set(target, [...ofName.get(target) ?? [], value]);
    figures.set(name, ofName);
  }
}

/** Prints the table. Rows whose load is itself part of the bottleneck have a star. */
export function printTable(figures: Figures, targets: readonly string[]): void {
  const row = (name: string, cells: readonly string[]): void => {
    console.log([name.padEnd(NAME_WIDTH), ...cells.map((cell) => cell.padStart(CELL_WIDTH))].join(""));
  };
  const bound = new Set([...figures].filter(isLoadBound).map(([name]) => loadOf(name)));
  row("", targets);
  for (const [name, byTarget] of figures) {
    const star = bound.has(loadOf(name)) ? " *" : "";
    const base = BASES.find((it) => byTarget.has(it));
    const values = byTarget.get(base ?? "") ?? [];
    row(name + star, targets.map((target) => cell(byTarget.get(target), target === base ? [] : values)));
  }
  if (bound.size > 0) {
    console.log(
      "\n* Without any proxy the load is carried less than twice as fast: it is part of the bottleneck.",
    );
  }
}

function cell(values: readonly number[] | undefined, base: readonly number[]): string {
  if (values === undefined) return "-";
  const ratio = pairedRatio(values, base);
  return short(median(values)) + (!Number.isFinite(ratio) ? "" : ` (${ratio.toFixed(2)})`);
}

/** Several figures come from one load, and begin with its name: `keep-alive 64: p99 ms`. */
function loadOf(name: string): string {
  return name.split(":")[0] ?? name;
}

/** Whether the backends and the load itself, without any proxy, are less than twice as fast as with the fastest one. */
function isLoadBound([name, byTarget]: [string, ReadonlyMap<string, readonly number[]>]): boolean {
  const proxies = [...byTarget].filter(([target]) => target !== DIRECT).map(([, values]) => median(values));
  return name.endsWith("/s") && median(byTarget.get(DIRECT) ?? []) < 2 * Math.max(...proxies);
}
