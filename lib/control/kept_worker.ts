// deno-lint-ignore-file no-await-in-loop -- a worker is restarted, and watched again, one time after the other

/** A worker of a generation, which is replaced when it dies. */

import type { Log } from "../core/log.ts";
import { formatDuration } from "../core/duration.ts";
import { reasonOf } from "../core/errors.ts";
import { sleep } from "../core/sleep.ts";
import type { AllTlsKeys } from "../dataplane/messages.ts";
import type { RecordedSessions } from "../dataplane/record.ts";
import { Ledger } from "../pool/ledger.ts";
import { SourceLedger } from "../pool/source_ledger.ts";
import type { SourceTable } from "../pool/source_table.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";
import { DataWorker, type WorkerEnd, type WorkerNews } from "./data_worker.ts";
import type { FlowExchange } from "./flow_exchange.ts";
import type { Journal } from "./journal.ts";
import type { OpenFiles } from "./open_files.ts";
import type { EngineHost } from "./engine_host.ts";
import type { GenerationSockets } from "./generation_sockets.ts";
import { waitForAnswer } from "./patience.ts";
import type { Permitted } from "./permissions.ts";
import type { Plan } from "./plan.ts";
import type { WorkerNumbers } from "./worker_numbers.ts";
import type { WorkerPatience } from "./worker_patience.ts";

/** What all workers of a generation share. */
export interface WorkerDeps {
  /** What the generation runs now. */
  readonly plan: () => Plan;
  /** Those that it uses now. */
  readonly keys: () => AllTlsKeys;
  readonly permitted: Permitted;
  /** Gives the module that the next worker starts from. */
  readonly workerEntry: () => string;
  readonly numbers: WorkerNumbers;
  readonly openFiles: OpenFiles;
  readonly scoreboard: Scoreboard;
  readonly sources: SourceTable;
  readonly recordSessions: RecordedSessions;
  /** Whether workers tell what sessions add up to. */
  readonly tallySessions: boolean;
  readonly sockets: GenerationSockets;
  /** The index of the first of those that share `sockets`. */
  readonly firstIndex: number;
  /** How many they are. */
  readonly count: number;
  readonly engine: EngineHost;
  /** Whether a worker is not to start where the kernel lacks a part of its confinement. */
  readonly isConfinementRequired: boolean;
  readonly flows: FlowExchange;
  readonly events: WorkerNews;
  /** For what concerns sessions. */
  readonly log: Log;
  /** For what concerns workers. */
  readonly journal: Journal;
  readonly patience: WorkerPatience;
  /** Aborted when the generation is to drain: nothing more is started. */
  readonly draining: AbortSignal;
}

/** Before a dead worker is replaced; doubles while replacements die as well, so that a hopeless case costs little. */
const FIRST_RESTART_PAUSE_MS = 50;
const MAX_RESTART_PAUSE_MS = 5_000;

/** A worker that lived as long as this did not die of its start. */
const HEALTHY_LIFE_MS = 10_000;

export class KeptWorker {
  /** Its place in the generation, 0 and up. */
  readonly index: number;
  readonly #deps: WorkerDeps;
  #now: Running;
  /** Whether datagrams are read by now. */
  #readsDatagrams = false;
  /** Sessions lost because their worker died while it drained. */
  lost = 0;

  /** Starts one, which is not replaced before {@linkcode keepAlive}. Throws when the runtime does not permit it. */
  constructor(index: number, deps: WorkerDeps) {
    this.index = index;
    this.#deps = deps;
    this.#now = this.#spawn();
  }

  /** The one that runs, or was the last to run. */
  get worker(): DataWorker {
    return this.#now.worker;
  }

  /** Unlike any other living worker's. */
  get number(): number {
    return this.#now.number;
  }

  /** Begins to read datagrams; call it when it accepts, and no older worker reads any more. */
  readDatagrams(): void {
    this.#readsDatagrams = true;
    if (this.worker.end !== undefined || !this.#deps.plan().listeners.some(({ flows }) => flows)) return;
    this.#deps.flows.join(this.worker);
  }

  /** Ends one that is not kept alive, before it has accepted. */
  discard(): void {
    this.worker.terminate();
    this.#settle(this.#now);
  }

  /** Replaces a worker that has died for as long as the generation has not been told to drain. */
  async keepAlive(): Promise<void> {
    const { draining } = this.#deps;
    let pauseMs = FIRST_RESTART_PAUSE_MS;
    for (;;) {
      const startedMs = performance.now();
      const end = await this.worker.ended;
      const sessions = this.#settle(this.#now);
      if (end.drained) return;
      if (draining.aborted) {
        this.lost += sessions;
        return this.#sayDead(end, sessions);
      }
      pauseMs = performance.now() - startedMs > HEALTHY_LIFE_MS ? FIRST_RESTART_PAUSE_MS : pauseMs;
      this.#sayDead(end, sessions, pauseMs);
      if (!await this.#restart(pauseMs)) return;
      pauseMs = Math.min(pauseMs * 2, MAX_RESTART_PAUSE_MS);
    }
  }

  #spawn(): Running {
    const {
      numbers,
      openFiles,
      scoreboard,
      sources,
      workerEntry,
      recordSessions,
      tallySessions,
      permitted,
      engine,
      isConfinementRequired,
      sockets,
      firstIndex,
      count,
      flows,
      events,
      log,
    } = this.#deps;
    const { listeners, pools } = this.#deps.plan();
    const number = numbers.take();
    const ledger = new Ledger(scoreboard);
    const limitsSources = listeners.some(({ greeting }) => greeting?.admission?.perSource !== undefined);
    const sourceLedger = limitsSources ? new SourceLedger(sources) : undefined;
    const releaseFiles = openFiles.claim(listeners.length);
    const engineOfWorker = engine.forWorker(permitted, isConfinementRequired);
    try {
      const worker = new DataWorker({
        entry: workerEntry(),
        plane: {
          worker: number,
          sessionIdPrefix: numbers.sessionIdPrefix(),
          listeners: listeners.flatMap((listener) =>
            sockets.forWorker(listener, this.index - firstIndex, count) ?? []
          ),
          engine: engineOfWorker.options,
          pools,
          keys: this.#deps.keys(),
          scoreboard: scoreboard.buffer,
          ledger: ledger.buffer,
          ...(sourceLedger === undefined
            ? {}
            : { sources: { table: sources.buffer, ledger: sourceLedger.buffer } }),
          filesRow: openFiles.row,
          recordSessions,
          tallySessions,
        },
        permissions: engine.permissions(permitted),
        ring: engine.ring,
        reclaim: engineOfWorker.reclaim,
        flows,
        events,
        log,
      });
      return { number, ledger, sourceLedger, releaseFiles, worker };
    } catch (error) {
      engineOfWorker.reclaim();
      releaseFiles();
      numbers.giveBack(number);
      throw error;
    }
  }

  /** Starts a worker in the place of a dead one, as soon as it can be done; false when it is time to drain. */
  async #restart(pauseMs: number): Promise<boolean> {
    const { journal, openFiles, plan, draining } = this.#deps;
    for (let waitMs = pauseMs;; waitMs = MAX_RESTART_PAUSE_MS) {
      await sleep(waitMs, draining);
      if (draining.aborted) return false;
      try {
        openFiles.check(1, plan().listeners.length);
        this.#now = this.#spawn();
        void this.#admit(this.worker);
        return true;
      } catch (error) {
        journal.error("worker_not_restarted", {
          worker: this.index,
          reason: reasonOf(error),
          again_in_ms: MAX_RESTART_PAUSE_MS,
        });
      }
    }
  }

  /** Waits for a restarted worker. One that does not come to accept is ended, so that another one is started. */
  async #admit(worker: DataWorker): Promise<void> {
    const { patience: { listenMs }, draining, sockets, firstIndex, journal } = this.#deps;
    const answer = await waitForAnswer(worker.listening, listenMs, draining);
    if (answer === "late") {
      worker.terminate(`did not come to listen within ${formatDuration(listenMs)}`);
    }
    // Another generation may have stepped in by now.
    if (answer !== "answered" || worker.end !== undefined || draining.aborted) return;
    try {
      if (this.index === firstIndex) await sockets.takeOverPaths();
      worker.accept();
      if (this.#readsDatagrams) this.readDatagrams();
      journal.info("worker_restarted", { worker: this.index });
    } catch (error) {
      worker.terminate(reasonOf(error));
    }
  }

  /** Gives back what a worker that has ended held; says how many sessions that were. */
  #settle({ number, ledger, sourceLedger, releaseFiles }: Running): number {
    const { scoreboard, numbers, plan } = this.#deps;
    const { listeners, pools } = plan();
    const held = ledger.settle();
    sourceLedger?.settle();
    releaseFiles();
    for (const { row, queue } of pools) {
      if (queue === undefined) continue;
      scoreboard.setTableCell(queue.row, number, 0);
      scoreboard.wake(row);
    }
    numbers.giveBack(number);
    return listeners.reduce((sum, { sessionsRow }) => sum + (held.get(sessionsRow) ?? 0), 0);
  }

  #sayDead(end: WorkerEnd & { drained: false }, sessions: number, restartInMs?: number): void {
    this.#deps.journal.error("worker_died", {
      worker: this.index,
      reason: end.reason,
      sessions,
      ...(restartInMs === undefined ? {} : { restart_in_ms: restartInMs }),
    });
  }
}

interface Running {
  readonly number: number;
  readonly ledger: Ledger;
  /** Undefined where no listener limits sources. */
  readonly sourceLedger: SourceLedger | undefined;
  readonly releaseFiles: () => void;
  readonly worker: DataWorker;
}
