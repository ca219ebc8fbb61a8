/** A rehearsal from a plan: servers, balancer and load in this process, and whether what must hold does. */

import type { RehearsalFlags } from "../cli/flags.ts";
import { engineFor, whyNoEngine } from "../control/engine_host.ts";
import { touchedBy } from "../control/touched.ts";
import { checkWorkerModules } from "../control/worker_entry.ts";
import { InputError, RunError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { runLoad } from "../load/run_load.ts";
import { readPlan } from "../rehearsal/read_plan.ts";
import { rehearse } from "../rehearsal/rehearse.ts";
import { giveUpForeignFunctions, giveUpWriting } from "./given_up.ts";
import { loadThreads } from "./load_threads.ts";
import { startStderrLog, type Terminal, unlessStopped } from "./terminal.ts";

/**
 * Rehearses, and prints the timeline and the verdict.
 *
 * @throws {InputError} when the plan is wrong, {@linkcode RunError} when it cannot be done, or when something that must hold
 * does not.
 */
export async function runRehearsal(flags: RehearsalFlags, terminal: Terminal): Promise<void> {
  const plan = await unlessStopped(readPlan(flags.rehearse, engineFor), terminal.stop);
  for (const { engine } of plan.configs) {
    const missing = whyNoEngine(engine);
    if (missing !== undefined) throw new InputError(`${plan.name}: ${missing}`);
  }
  if (plan.configs.every(({ engine }) => engineFor(engine) === "runtime")) await giveUpForeignFunctions();
  const touched = plan.configs.flatMap((config) => touchedBy(config).listens);
  await giveUpWriting({ listens: [...plan.servers.map(({ listen }) => listen), ...touched] });
  // What matters of the balancer's log is in the timeline.
  const running = startStderrLog(flags.logLevel ?? "error", flags.logFormat);
  const closed = new AbortController();
  let printing: Promise<void> = Promise.resolve();
  const write = (text: string): void => {
    printing = printing.then(() => terminal.print(text));
    // A reader that has gone ends the rehearsal.
    printing.catch(() => closed.abort());
  };
  try {
    await checkWorkerModules();
    const why = await rehearse(plan, {
      write,
      isColoured: Deno.stdout.isTerminal() && !Deno.noColor,
      now: () => performance.now(),
      log,
      stop: AbortSignal.any([terminal.stop, closed.signal]),
      load: async (loadPlan, engine, options) => {
        const [target] = loadPlan.addresses;
        const threads = await loadThreads(target, loadPlan, engine);
        return await runLoad({ plan: loadPlan, engine, workers: 1, ...threads, ...options });
      },
    });
    // A reader that has gone makes no success of a failure.
    await (why === undefined ? printing : printing.catch(() => {}));
    if (why !== undefined) throw new RunError(`${plan.name}: ${why}`);
  } finally {
    await running.close();
  }
}
