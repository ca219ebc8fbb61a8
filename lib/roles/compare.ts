/** `--compare`: two runs of a load beside each other. */

import type { CompareFlags } from "../cli/load_flags.ts";
import { InputError, reasonOf } from "../core/errors.ts";
import { comparisonText, readJsonReport } from "../load/compare.ts";
import type { JsonReport } from "../load/result.ts";
import { type Terminal, unlessStopped } from "./terminal.ts";

/**
 * Prints the difference.
 *
 * @throws {InputError} when a file cannot be read, or is no report.
 */
export async function runCompare({ one, other }: CompareFlags, terminal: Terminal): Promise<void> {
  const [before, after] = await unlessStopped(
    Promise.all([readReport(one), readReport(other)]),
    terminal.stop,
  );
  await terminal.print(comparisonText([one, other], [before, after]));
}

async function readReport(file: string): Promise<JsonReport> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : reasonOf(error).toLowerCase();
    throw new InputError(`--compare: ${file}: ${why}`);
  }
  const report = readJsonReport(text);
  if (report === undefined) {
    throw new InputError(`--compare: ${file} is no report of a load; write one with --json`);
  }
  return report;
}
