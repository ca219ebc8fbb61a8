/** A whole rehearsal: every run of a plan, one after the other, and its verdict. */

import { headline, variantLine, verdictText, whyFailed } from "./report.ts";
import type { FindingsOfRun } from "./report.ts";
import type { ReadPlan } from "./read_plan.ts";
import { type RunDeps, runVariant } from "./run.ts";
import { compareRuns, judge, type Measured } from "./verdict.ts";

/**
 * Makes all runs, and writes what happens and what came of it.
 *
 * @return Why it has failed, in one sentence; undefined when everything that must hold does.
 * @throws {RunError} when something cannot be started.
 */
export async function rehearse(plan: ReadPlan, deps: RunDeps): Promise<string | undefined> {
  const { write, isColoured, stop } = deps;
  write(headline(plan, isColoured));
  const measured = new Map<string, Measured>();
  const findings: FindingsOfRun[] = [];
  let stoppedAtMs: number | undefined;
  for (const variant of plan.variants) {
    write(variant.name === undefined ? "\n" : variantLine(variant.name, isColoured));
    // deno-lint-ignore no-await-in-loop -- runs beside each other would slow each other down
    const outcome = await runVariant(plan, variant, deps);
    measured.set(variant.name ?? "", outcome.measured);
    findings.push({
      run: variant.name,
      findings: [...judge(plan.bounds, outcome.measured), ...outcome.failures],
    });
    if (stop.aborted) {
      stoppedAtMs = outcome.durationMs;
      break;
    }
  }
  findings.push({ run: undefined, findings: compareRuns(plan.bounds, measured) });
  const why = whyFailed(findings, stoppedAtMs);
  write(`\n${verdictText(findings, isColoured)}`);
  return why;
}
