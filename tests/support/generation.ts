/** Generations of workers without a balancer around them. */

import assert from "node:assert/strict";
import { NO_TLS_KEYS } from "../../lib/dataplane/messages.ts";
import { type EngineHost, makeEngineHost } from "../../lib/control/engine_host.ts";
import { FlowExchange } from "../../lib/control/flow_exchange.ts";
import { Generation, type GenerationDeps, type GenerationOptions } from "../../lib/control/generation.ts";
import { Journal } from "../../lib/control/journal.ts";
import { Names } from "../../lib/control/names.ts";
import { OpenFiles } from "../../lib/control/open_files.ts";
import { makePlan, type Plan } from "../../lib/control/plan.ts";
import { RowBook } from "../../lib/control/rows.ts";
import { workerEntry } from "../../lib/control/worker_entry.ts";
import { WorkerNumbers } from "../../lib/control/worker_numbers.ts";
import { introduceBackends } from "../../lib/control/facts.ts";
import { SourceTable } from "../../lib/pool/source_table.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { type TestBalancerOptions, testConfig } from "./balancer.ts";
import { type MemoryLog, memoryLog } from "./memory_log.ts";

/** Workers of the tests, by the names of their modules. */
export type TestWorker = "mortal_flow" | "reserved" | "silent";

export function testWorker(name: TestWorker): string {
  return import.meta.resolve(`./workers/${name}_worker.ts`);
}

/** What all generations of a test share. */
export class Workshop {
  readonly scoreboard = new Scoreboard();
  readonly rows = new RowBook(this.scoreboard);
  readonly log: MemoryLog = memoryLog();
  readonly numbers = new WorkerNumbers();
  readonly stop = new AbortController();
  /** The module of the next worker. */
  entry: string;

  readonly engine: EngineHost;
  readonly deps: GenerationDeps;

  constructor(worker?: TestWorker, engine: EngineHost = makeEngineHost("runtime")) {
    this.entry = worker === undefined ? workerEntry : testWorker(worker);
    this.engine = engine;
    this.deps = {
      workerEntry: () => this.entry,
      numbers: this.numbers,
      openFiles: new OpenFiles(
        this.scoreboard,
        this.rows.use({ kind: "open files", name: "" }),
        this.log.log,
        this.engine,
      ),
      engine: this.engine,
      isConfinementRequired: false,
      scoreboard: this.scoreboard,
      sources: new SourceTable(),
      recordSessions: true,
      tallySessions: false,
      flows: new FlowExchange(),
      events: {
        onFailing: () => {},
        onTally: () => {},
        onDenials: () => {},
        onFlowSums: () => {},
        onWarning: () => {},
        onFilesWanted: () => {},
      },
      log: this.log.log,
      journal: new Journal(this.log.log),
      patience: { listenMs: 20_000, closeMs: 500, hangMs: 1_000 },
    };
  }

  planOf(options: TestBalancerOptions, names: Names = new Names()): Promise<Plan> {
    return makePlan(testConfig(options), this.rows, names);
  }

  /** Sets the facts of a plan of which nothing is in force. */
  introduce(plan: Plan, options: TestBalancerOptions): void {
    introduceBackends(this.scoreboard, plan, testConfig(options), { ...plan, pools: [] });
  }

  /** Starts workers with the facts of a configuration. */
  async start(
    options: TestBalancerOptions,
    more: Partial<GenerationOptions> = {},
  ): Promise<Generation> {
    const plan = more.plan ?? await this.planOf(options);
    return await Generation.start({
      number: 1,
      plan,
      keys: NO_TLS_KEYS,
      before: undefined,
      workers: options.workers ?? 1,
      deps: this.deps,
      beforeAccept: () => this.introduce(plan, options),
      stop: this.stop.signal,
      ...more,
    });
  }
}

/** The port of the only listener of a plan. */
export function portOf({ listeners: [listener] }: Plan): number {
  assert.ok(listener?.address.transport === "tcp");
  return listener.address.port;
}
