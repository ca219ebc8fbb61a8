// deno-lint-ignore-file no-await-in-loop -- a worker is restarted, and watched again, one time after the other

/**
 * A generation: the workers that were started from one configuration, until they have drained.
 *
 * A new configuration is a new generation beside the old one, which then drains; a worker that dies is replaced within
 * its generation.
 */

import { formatAddress, type UnixAddress } from "../core/address.ts";
import type { Recorder } from "../core/log.ts";
import { RunError } from "../core/errors.ts";
import { checkSocketPath, removeSocketFile, stepInAddress } from "../dataplane/listen.ts";
import type { LiveSessionFacts } from "../dataplane/messages.ts";
import type { EndReason } from "../dataplane/record.ts";
import { Ledger } from "../pool/ledger.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";
import { DataWorker, type WorkerEnd, type WorkerNews } from "./data_worker.ts";
import type { Journal } from "./journal.ts";
import { socketPermissions } from "./permissions.ts";
import { heldRows, type Plan, planAddresses } from "./plan.ts";
import type { WorkerNumbers } from "./worker_numbers.ts";

export interface GenerationOptions {
  /** Counts generations, from 1. */
  readonly number: number;
  readonly plan: Plan;
  /** What the generation runs whose place it takes. */
  readonly before: Plan | undefined;
  /** The module that workers start from. */
  readonly workerEntry: string;
  readonly workers: number;
  readonly numbers: WorkerNumbers;
  readonly scoreboard: Scoreboard;
  /** Whether sessions leave records. */
  readonly recordSessions: boolean;
  /** Whether workers tell what sessions add up to. */
  readonly tallySessions: boolean;
  readonly hears: WorkerNews;
  /** For what concerns sessions. */
  readonly log: Recorder;
  /** For what concerns workers. */
  readonly journal: Journal;
}

/** Before a dead worker is replaced; doubles while replacements die as well, so that a hopeless case costs little. */
const FIRST_RESTART_PAUSE_MS = 50;
const MAX_RESTART_PAUSE_MS = 5_000;

/** A worker that has not closed its sessions by then hangs, and is ended with them. */
const CLOSE_GRACE_MS = 2_000;

/** A worker that lived as long as this did not die of its start. */
const HEALTHY_LIFE_MS = 10_000;

function isNotAllowed(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied;
}

/** A permission that was not given, or was given up, cannot be had again. */
const NOT_ALLOWED = "sockbal was started without permission for it, or has given it up; this needs a restart";

export class Generation {
  readonly #options: GenerationOptions;
  readonly #sockets: readonly UnixAddress[];
  readonly #members: Member[] = [];
  #plan: Plan;
  readonly #draining = new AbortController();
  /** Sessions of workers that died while they drained. */
  #lost = 0;

  /**
   * Starts the workers; resolves when all of them accept connections.
   *
   * @throws {RunError} when one cannot; then none is left running.
   */
  static async start(options: GenerationOptions): Promise<Generation> {
    const generation = new Generation(options);
    const held = new Set(options.before?.listeners.map(({ address }) => formatAddress(address)));
    const fresh = generation.#sockets.filter((address) => !held.has(formatAddress(address)));
    try {
      await Promise.all(fresh.map(checkSocketPath));
      for (let column = 0; column < options.workers; column++) {
        generation.#members.push(generation.#spawn(column));
      }
      await Promise.all(generation.#members.map(({ worker }) => worker.listening));
      await generation.#stepIn();
    } catch (error) {
      for (const member of generation.#members) {
        member.worker.terminate();
        generation.#settle(member);
      }
      await Promise.all(generation.#sockets.map((address) => removeSocketFile(stepInAddress(address))));
      throw isNotAllowed(error) ? new RunError(NOT_ALLOWED, { cause: error }) : error;
    }
    for (const member of generation.#members) void generation.#keepAlive(member);
    return generation;
  }

  private constructor(options: GenerationOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.#sockets = options.plan.listeners.flatMap(({ address }) =>
      address.transport === "unix" ? [address] : []
    );
  }

  get number(): number {
    return this.#options.number;
  }

  get plan(): Plan {
    return this.#plan;
  }

  /**
   * Stops accepting; resolves when no worker accepts any more.
   *
   * @param next What takes its place; undefined when nothing does.
   */
  async close(next?: Plan): Promise<void> {
    if (this.#draining.signal.aborted) return;
    this.#draining.abort();
    const takenOver = (next?.listeners ?? []).flatMap(({ address }) => {
      return address.transport === "unix" ? [address.path] : [];
    });
    await Promise.all(this.#members.map(({ worker }) => worker.drain(takenOver)));
  }

  /**
   * Stops accepting if it has not yet, lets the sessions finish, and after `timeoutMs` ends those that are left.
   *
   * @param timeoutMs Infinity lets them take as long as they like; a later call may put an end to that.
   * @return How many had to be ended.
   */
  async drain(timeoutMs: number): Promise<number> {
    void this.close();
    const timers = timeoutMs === Infinity ? [] : [
      setTimeout(() => this.#members.forEach(({ worker }) => worker.closeSessions()), timeoutMs),
      setTimeout(() => this.#members.forEach(({ worker }) => worker.terminate()), timeoutMs + CLOSE_GRACE_MS),
    ];
    const ends = await Promise.all(this.#members.map(({ worker }) => worker.ended));
    for (const timer of timers) clearTimeout(timer);
    const closed = ends.reduce((sum, end) => sum + (end.drained ? end.closedSessions : 0), 0);
    return closed + this.#lost;
  }

  /** Goes by a plan of the same structure from now on. */
  adjust(plan: Plan): void {
    this.#plan = plan;
    for (const { worker } of this.#members) worker.adjust(plan.pools);
  }

  /** Sessions that go on, the oldest of each worker first, at most so many of each. */
  async sessions(limit: number): Promise<LiveSessionFacts[]> {
    return (await Promise.all(this.#members.map(({ worker }) => worker.sessions(limit)))).flat();
  }

  /** How late the clocks of the workers were, of late. */
  lags(): { readonly id: number; readonly lagMs: number }[] {
    return this.#members.map(({ number, worker }) => ({ id: number, lagMs: worker.lagMs }));
  }

  /** Ends the sessions at a backend, which is known by its row. */
  endSessions(backend: number, reason: EndReason): void {
    for (const { worker } of this.#members) worker.endSessions(backend, reason);
  }

  /** Gives the Unix sockets, which are ready, the paths that they are for. */
  async #stepIn(): Promise<void> {
    await Promise.all(this.#sockets.map((address) => Deno.rename(stepInAddress(address).path, address.path)));
  }

  #spawn(column: number): Member {
    const { numbers, scoreboard, workerEntry: entry, recordSessions, tallySessions, hears, log } =
      this.#options;
    const plan = this.#plan;
    const number = numbers.take();
    const ledger = new Ledger(scoreboard);
    try {
      const worker = new DataWorker({
        entry,
        plane: {
          worker: number,
          sessionIdPrefix: numbers.sessionIdPrefix(),
          // A Unix socket cannot be shared between threads: the first worker has it.
          listeners: plan.listeners.filter(({ address }) => address.transport === "tcp" || column === 0),
          pools: plan.pools,
          scoreboard: scoreboard.buffer,
          ledger: ledger.buffer,
          recordSessions,
          tallySessions,
        },
        permissions: socketPermissions([...planAddresses(plan), ...this.#sockets.map(stepInAddress)]),
        hears,
        log,
      });
      return { column, number, ledger, worker };
    } catch (error) {
      numbers.giveBack(number);
      throw error;
    }
  }

  /** Replaces a worker that has died for as long as the generation has not been told to drain. */
  async #keepAlive(first: Member): Promise<void> {
    let member = first;
    let pauseMs = FIRST_RESTART_PAUSE_MS;
    for (;;) {
      const startedMs = performance.now();
      const end = await member.worker.ended;
      const sessions = this.#settle(member);
      if (end.drained) return;
      if (this.#draining.signal.aborted) {
        this.#lost += sessions;
        return this.#sayDead(member, end, sessions);
      }
      pauseMs = performance.now() - startedMs > HEALTHY_LIFE_MS ? FIRST_RESTART_PAUSE_MS : pauseMs;
      this.#sayDead(member, end, sessions, pauseMs);
      if (!await pause(pauseMs, this.#draining.signal)) return;
      pauseMs = Math.min(pauseMs * 2, MAX_RESTART_PAUSE_MS);
      member = this.#spawn(member.column);
      this.#members[member.column] = member;
      const { column, worker } = member;
      worker.listening.then(() => column === 0 ? this.#stepIn() : undefined).then(
        () => this.#options.journal.info("worker_restarted", { worker: column }),
        () => {},
      );
    }
  }

  /** Gives back what a worker that has ended held; says how many sessions that were. */
  #settle({ number, ledger }: Member): number {
    const { scoreboard, numbers } = this.#options;
    const plan = this.#plan;
    const rows = heldRows(plan);
    const sessions = ledger.settle(rows.sessions);
    ledger.settle(rows.others);
    for (const { row, queue } of plan.pools) {
      if (queue === undefined) continue;
      scoreboard.setTableCell(queue.row + 1, number, 0);
      scoreboard.wake(row);
    }
    numbers.giveBack(number);
    return sessions;
  }

  #sayDead(
    { column }: Member,
    end: WorkerEnd & { drained: false },
    sessions: number,
    restartInMs?: number,
  ): void {
    const restart = restartInMs === undefined ? {} : { restart_in_ms: restartInMs };
    this.#options.journal.error("worker_died", { worker: column, reason: end.reason, sessions, ...restart });
  }
}

/** A worker of a generation. */
interface Member {
  /** Its place in the generation; one that takes the place of another has the same. */
  readonly column: number;
  /** Unlike any other living worker's. */
  readonly number: number;
  readonly ledger: Ledger;
  readonly worker: DataWorker;
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
