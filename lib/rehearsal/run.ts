/** One run of a plan: its servers, its balancer and its load, in this process, and what happens meanwhile. */

import type { EngineName } from "../config/engine_names.ts";
import { Balancer } from "../control/balancer.ts";
import { Operator } from "../control/operator.ts";
import { parseListenAddress } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { sleep } from "../core/sleep.ts";
import type { LoadPlan } from "../load/plan.ts";
import type { LoadOptions, LoadResult } from "../load/run_load.ts";
import type { Second } from "../load/seconds.ts";
import { endLine, errorsText, summaryLines } from "./load_lines.ts";
import { type NamedServer, startNamedServer } from "./named_server.ts";
import { loadPlanOf, targetOf } from "./load_target.ts";
import { isPicked, perform, serverOf, type Stage } from "./perform.ts";
import type { PlannedEvent, Variant } from "./plan.ts";
import type { ReadPlan } from "./read_plan.ts";
import { Timeline, type TimelineOptions } from "./timeline.ts";
import type { Finding, Measured } from "./verdict.ts";

export interface RunDeps extends TimelineOptions {
  /** Makes the load, on threads. */
  readonly load: (
    plan: LoadPlan,
    engine: EngineName,
    options: Pick<LoadOptions, "stop" | "onStart" | "onSecond">,
  ) => Promise<LoadResult>;
  readonly log: Log;
  /** Ends the run; what was measured by then is what it gives. */
  readonly stop: AbortSignal;
}

export interface Outcome {
  readonly measured: Measured;
  /** What of the plan could not be done. */
  readonly failures: readonly Finding[];
  /** How long the load went on. */
  readonly durationMs: number;
}

/**
 * Makes one run. Leaves nothing running.
 *
 * @throws {RunError} when something of it cannot be started.
 */
export async function runVariant(plan: ReadPlan, variant: Variant, deps: RunDeps): Promise<Outcome> {
  const servers: NamedServer[] = [];
  try {
    for (const settings of plan.servers) {
      // deno-lint-ignore no-await-in-loop -- each that was started is to be stopped, whatever becomes of the next
      servers.push(await startNamedServer(settings, deps.log));
    }
    return await new Run(plan, variant, servers, deps).run();
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

class Run {
  readonly #plan: ReadPlan;
  readonly #variant: Variant;
  readonly #servers: readonly NamedServer[];
  readonly #addresses: ReadonlyMap<string, string>;
  readonly #deps: RunDeps;
  readonly #timeline: Timeline;
  readonly #failures: Finding[] = [];
  /** Where the load goes to. */
  #loaded = "";

  constructor(plan: ReadPlan, variant: Variant, servers: readonly NamedServer[], deps: RunDeps) {
    this.#plan = plan;
    this.#variant = variant;
    this.#servers = servers;
    this.#addresses = new Map(servers.map(({ name, address }) => [name, address]));
    this.#deps = deps;
    this.#timeline = new Timeline(deps);
  }

  async run(): Promise<Outcome> {
    const { log } = this.#deps;
    const config = await this.#plan.read(this.#variant.balancer, this.#addresses);
    const balancer = new Balancer({ config, log });
    const operator = new Operator(balancer);
    const stage: Stage = {
      balancer,
      operator,
      servers: this.#servers,
      timeline: this.#timeline,
      read: (source) => this.#plan.read(source, this.#addresses),
    };
    const unsubscribe = balancer.journal.subscribe((event) => {
      this.#timeline.balancer(event, serverOf(event.fields, stage));
      this.#look(balancer);
    });
    try {
      await balancer.start();
      return await this.#load(stage);
    } finally {
      unsubscribe();
      operator.stop();
      await balancer.stop(AbortSignal.abort());
    }
  }

  async #load(stage: Stage): Promise<Outcome> {
    const { load: settings } = this.#plan;
    const { balancer } = stage;
    const number = targetOf(settings.listener, balancer.config.listeners);
    this.#loaded = balancer.addresses[number] ?? "";
    const address = parseListenAddress(this.#loaded);
    const over = new AbortController();
    let happening: Promise<void> = Promise.resolve();
    const stop = AbortSignal.any([this.#deps.stop, over.signal]);
    try {
      const { figures, durationMs, unsent } = await this.#deps.load(
        loadPlanOf(settings, address),
        balancer.engine.name,
        {
          stop: this.#deps.stop,
          onStart: () => {
            this.#timeline.start();
            this.#timeline.say("plan", "the load begins");
            this.#look(balancer);
            happening = this.#happen(stage, stop);
          },
          onSecond: (second) => this.#onSecond(second),
        },
      );
      this.#timeline.say("plan", endLine(figures, unsent));
      for (const line of summaryLines(figures, [...this.#addresses.keys()])) this.#timeline.say("load", line);
      const measured = {
        requests: figures.requests,
        // One that was due and never sent has no answer either.
        errors: figures.errorCount + unsent,
        times: figures.latencies.statistics(),
        answers: figures.backends,
        ...this.#timeline.reactions.measured(),
      };
      return { measured, failures: this.#failures, durationMs };
    } finally {
      over.abort();
      // What has begun is done before anything is stopped; it may still add a failure.
      await happening;
    }
  }

  /** Each event at its time. What concerns the same server, or the configuration, is done one after the other. */
  async #happen(stage: Stage, stop: AbortSignal): Promise<void> {
    const chains = new Map<string, Promise<void>>();
    for (const event of this.#variant.events) {
      // deno-lint-ignore no-await-in-loop -- events have their times
      await sleep(Math.max(0, event.atMs - this.#timeline.elapsedMs), stop);
      if (stop.aborted) break;
      const subject = event.do === "reload" ? "the configuration" : `server ${event.server}`;
      const before = chains.get(subject) ?? Promise.resolve();
      chains.set(subject, before.then(() => this.#attempt(event, stage)));
    }
    await Promise.all(chains.values());
  }

  async #attempt(event: PlannedEvent, stage: Stage): Promise<void> {
    try {
      await perform(event, stage);
      this.#look(stage.balancer);
    } catch (error) {
      const reason = reasonOf(error);
      const what = event.do === "reload" ? "reload" : `${event.do} ${event.server}`;
      this.#timeline.say("plan", `${what} has failed: ${reason}`);
      this.#failures.push({ what, wanted: "done", measured: reason, holds: false });
    }
  }

  /** Which servers the load can come to may have changed. */
  #look(balancer: Balancer): void {
    for (const { name, address } of this.#servers) {
      this.#timeline.picked(name, isPicked(this.#loaded, address, balancer));
    }
  }

  #onSecond({ figures, number }: Second): void {
    if (figures.errorCount === 0) return;
    this.#timeline.say("load", `in second ${number + 1}: ${errorsText(figures)}`);
  }
}
