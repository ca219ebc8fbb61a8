// deno-lint-ignore-file no-await-in-loop -- a worker is restarted, and watched again, one time after the other

/**
 * A generation: the workers that were started from one configuration, until they have drained.
 *
 * A new configuration is a new generation beside the old one, which then drains; a worker that dies is replaced within
 * its generation.
 */

import type { Logger } from "../core/log.ts";
import type { PlaneOptions } from "../dataplane/messages.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";
import { DataWorker, type WorkerEnd } from "./data_worker.ts";
import type { Permissions } from "./permissions.ts";

export interface GenerationOptions {
  /** The module that workers start from. */
  readonly workerEntry: string;
  readonly workers: number;
  readonly scoreboard: Scoreboard;
  readonly permissions: Permissions;
  /** What the worker of this column is told. */
  readonly planeOptions: (worker: number) => PlaneOptions;
  readonly log: Logger;
}

/** Before a dead worker is replaced; doubles while replacements die as well, so that a hopeless case costs little. */
const FIRST_RESTART_PAUSE_MS = 50;
const MAX_RESTART_PAUSE_MS = 5_000;

/** A worker that has not closed its sessions by then hangs, and is ended with them. */
const CLOSE_GRACE_MS = 2_000;

/** A worker that lived as long as this did not die of its start. */
const HEALTHY_LIFE_MS = 10_000;

export class Generation {
  readonly #options: GenerationOptions;
  readonly #workers: DataWorker[];
  readonly #draining = new AbortController();
  /** Sessions of workers that died while they drained, by column. */
  readonly #lost: number[] = [];

  /**
   * Starts the workers; resolves when all of them accept connections.
   *
   * @throws {RunError} when one cannot; then none is left running.
   */
  static async start(options: GenerationOptions): Promise<Generation> {
    const generation = new Generation(options);
    try {
      await Promise.all(generation.#workers.map((worker) => worker.listening));
    } catch (error) {
      for (const worker of generation.#workers) worker.terminate();
      throw error;
    }
    generation.#workers.forEach((_, column) => generation.#keepAlive(column));
    return generation;
  }

  private constructor(options: GenerationOptions) {
    this.#options = options;
    this.#workers = Array.from({ length: options.workers }, (_, column) => this.#spawn(column));
  }

  /**
   * Stops accepting, lets the sessions finish, and after `timeoutMs` ends those that are left.
   *
   * @return How many had to be ended.
   */
  async drain(timeoutMs: number): Promise<number> {
    this.#draining.abort();
    for (const worker of this.#workers) worker.drain();
    const deadline = setTimeout(() => this.#workers.forEach((worker) => worker.closeSessions()), timeoutMs);
    const lastResort = setTimeout(
      () => this.#workers.forEach((worker) => worker.terminate()),
      timeoutMs + CLOSE_GRACE_MS,
    );
    const ends = await Promise.all(this.#workers.map((worker) => worker.ended));
    clearTimeout(deadline);
    clearTimeout(lastResort);
    return ends.reduce((sum, end, column) => {
      return sum + (end.drained ? end.closedSessions : this.#lost[column] ?? 0);
    }, 0);
  }

  #spawn(column: number): DataWorker {
    const { workerEntry: entry, planeOptions, permissions, log } = this.#options;
    return new DataWorker({ entry, plane: planeOptions(column), permissions, log });
  }

  /** Replaces the worker of a column for as long as the generation has not been told to drain. */
  async #keepAlive(column: number): Promise<void> {
    let pauseMs = FIRST_RESTART_PAUSE_MS;
    for (;;) {
      const startedMs = performance.now();
      const end = await this.#workers[column]?.ended;
      if (end === undefined || end.drained) return;
      const sessions = this.#options.scoreboard.forgetWorker(column);
      if (this.#draining.signal.aborted) {
        this.#lost[column] = sessions;
        return this.#sayDead(column, end, sessions);
      }
      pauseMs = performance.now() - startedMs > HEALTHY_LIFE_MS ? FIRST_RESTART_PAUSE_MS : pauseMs;
      this.#sayDead(column, end, sessions, pauseMs);
      if (!await pause(pauseMs, this.#draining.signal)) return;
      pauseMs = Math.min(pauseMs * 2, MAX_RESTART_PAUSE_MS);
      const replacement = this.#spawn(column);
      this.#workers[column] = replacement;
      replacement.listening.then(
        () => this.#options.log.info("worker_restarted", { worker: column }),
        () => {},
      );
    }
  }

  #sayDead(
    column: number,
    end: WorkerEnd & { drained: false },
    sessions: number,
    restartInMs?: number,
  ): void {
    const restart = restartInMs === undefined ? {} : { restart_in_ms: restartInMs };
    this.#options.log.error("worker_died", { worker: column, reason: end.reason, sessions, ...restart });
  }
}

/** Waits; false when the signal came first. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(true), ms);
  const give = (): void => resolve(false);
  signal.addEventListener("abort", give, { once: true });
  const elapsed = await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", give);
  return elapsed;
}
