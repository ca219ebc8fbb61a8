/**
 * A generation: workers that were started together, until they have drained.
 *
 * What they cannot be told while they work needs a new generation beside the old one, which then drains.
 */

import { formatAddress } from "../core/address.ts";
import { formatDuration } from "../core/duration.ts";
import { RunError } from "../core/errors.ts";
import type { AllTlsKeys, LiveSessionFacts, LiveSessionFilter } from "../dataplane/messages.ts";
import type { EndReason } from "../dataplane/record.ts";
import type { Confinement } from "../engine/confinement.ts";
import type { PoolChange } from "../pool/pool.ts";
import type { BackendRow } from "../pool/row.ts";
import { checkAnswers } from "./clients.ts";
import { checkGiven, checkSameEngines, type Crew, type CrewDeps, crewsOf } from "./crew.ts";
import type { KeptWorker } from "./kept_worker.ts";
import { changesBetween } from "./parts.ts";
import { waitForAnswer } from "./patience.ts";
import { missingFlag, type Permitted, socketPermissions } from "./permissions.ts";
import { permittedBy, type Plan } from "./plan.ts";
import { closeWorker } from "./worker_patience.ts";

/** What is the same for every generation, and what its configuration asks of workers. */
export type GenerationDeps = Omit<CrewDeps, "plan" | "keys" | "draining">;

export interface GenerationOptions {
  /** Counts generations, from 1. */
  readonly number: number;
  readonly plan: Plan;
  readonly keys: AllTlsKeys;
  /** What the generation runs whose place it takes. */
  readonly before: Plan | undefined;
  readonly workers: number;
  readonly deps: GenerationDeps;
  /** Called when all workers listen and none accepts yet. Once it has resolved, the start cannot fail. */
  readonly beforeAccept: () => void | Promise<void>;
  /** Aborted when the balancer is to stop: nothing more is started, and nothing waited for. */
  readonly stop: AbortSignal;
}

/** A worker that has not closed its sessions by then hangs, and is ended with them. */
const CLOSE_GRACE_MS = 2_000;

/** Why nothing is started any more. */
export const STOPPING = "the balancer is being stopped";

/** A permission that was not given, or was given up, cannot be had again. */
function describeMissing(permitted: Permitted): string {
  const flag = missingFlag(socketPermissions(permitted));
  return `the configuration needs a permission${flag === undefined ? "" : ` (${flag})`} ` +
    "that was not given at the start, or has been given up since; start sockbal with it";
}

function isNotAllowed(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied;
}

export class Generation {
  readonly number: number;
  /** What its workers may dial and listen on; the same for as long as it lives. */
  readonly permitted: Permitted;
  /** What confines its workers, of each; they are told the same when they are restarted. */
  confinement: readonly Confinement[] = [];
  readonly #options: GenerationOptions;
  readonly #crews: readonly Crew[];
  #plan: Plan;
  #keys: AllTlsKeys;
  readonly #draining = new AbortController();
  /** Resolves when nothing of it listens any more. */
  #left: Promise<unknown> = Promise.resolve();
  #datagramsLeft: Promise<unknown> = Promise.resolve();
  /** Its addresses at which it goes on to read datagrams while it drains. */
  #readOn = new Set<string>();
  /** When the sessions that are left are ended; Infinity is never. */
  #deadlineMs = Infinity;
  #deadlines: ReturnType<typeof setTimeout>[] = [];

  /**
   * Starts the workers; resolves when all of them accept connections. They read datagrams at once where they take no other generation's
   * place; see {@linkcode readDatagrams}.
   *
   * @throws {RunError} when one cannot; then none is left running.
   */
  static async start(options: GenerationOptions): Promise<Generation> {
    const generation = new Generation(options);
    try {
      await generation.#begin();
    } catch (error) {
      await Promise.all(generation.#crews.map((crew) => crew.withdraw()));
      throw isNotAllowed(error)
        ? new RunError(describeMissing(generation.permitted), { cause: error })
        : error;
    }
    if (options.before === undefined) generation.readDatagrams();
    for (const worker of generation.#workers) void worker.keepAlive();
    return generation;
  }

  private constructor(options: GenerationOptions) {
    this.number = options.number;
    this.#options = options;
    this.#plan = options.plan;
    this.#keys = options.keys;
    this.#crews = crewsOf(options.deps.engine, options.plan);
    // What is true of the generation is true of each crew.
    this.permitted = permittedBy(options.plan, this.#crews.every(({ permitsSubnets }) => permitsSubnets));
  }

  get #workers(): readonly KeptWorker[] {
    return this.#crews.flatMap(({ workers }) => workers);
  }

  get plan(): Plan {
    return this.#plan;
  }

  /** Whether clients find each of its Unix sockets: a file may have been removed, or another one have taken its place. */
  async isInPlace(): Promise<boolean> {
    return (await Promise.all(this.#crews.map(({ sockets }) => sockets.areInPlace()))).every((it) => it);
  }

  /** Begins to read datagrams; call it when the generation before reads no more. */
  readDatagrams(): void {
    for (const worker of this.#workers) worker.readDatagrams();
  }

  /**
   * Stops accepting; resolves when no worker accepts any more.
   *
   * @param next What takes its place; undefined when nothing does.
   */
  async close(next?: Plan): Promise<void> {
    if (this.#draining.signal.aborted) return;
    this.#draining.abort();
    const { deps: { patience, journal }, number: generation, stop } = this.#options;
    const listeners = next?.listeners ?? [];
    const isReplaced = next !== undefined;
    const readElsewhere = listeners.filter(({ flows }) => flows).map(({ address }) => formatAddress(address));
    const own = this.#plan.listeners.filter(({ flows }) => flows).map(({ address }) =>
      formatAddress(address)
    );
    this.#readOn = new Set(own.filter((address) => !readElsewhere.includes(address)));
    const left = this.#crews.map(async (crew) => {
      // Datagrams are read for the flows that there are: until then a later generation may have the same sockets again.
      await Promise.all(crew.workers.map(({ worker }) => crew.readsDatagrams ? worker.ended : worker.closed));
      await crew.sockets.remove(crew.listenersAmong(listeners));
    });
    this.#left = Promise.all(left);
    const options = { patience, generation, isReplaced, readElsewhere, journal, stop };
    const crewsClosed = this.#crews.map(async ({ workers }) => {
      await Promise.all(workers.map(({ index, worker }) => closeWorker(worker, { ...options, index })));
    });
    this.#datagramsLeft = Promise.all(crewsClosed.filter((_, i) => this.#crews[i]?.readsDatagrams));
    const unlistened = Promise.all(left.filter((_, i) => this.#crews[i]?.readsDatagrams === false));
    await Promise.all([waitForAnswer(unlistened, patience.closeMs, stop), ...crewsClosed]);
  }

  /**
   * Of one that drains: a later generation reads datagrams where this one went on to read for its flows. Resolves when it has left that to
   * the other, which learns of these flows.
   */
  async leaveTo(next: Plan): Promise<void> {
    const listeners = next.listeners.map(({ address }) => formatAddress(address));
    const left = listeners.filter((address) => this.#readOn.delete(address));
    if (left.length === 0) return;
    const { stop, deps: { patience } } = this.#options;
    const answers = this.#crews.filter((crew) => crew.readsDatagrams).flatMap(({ workers }) => workers)
      .map(({ worker }) => {
        worker.readElsewhere(left);
        return worker.adjust([]);
      });
    await waitForAnswer(Promise.all(answers), patience.closeMs, stop);
  }

  /**
   * Resolves when no worker reads datagrams any more but those of its own flows, or there is no use in waiting any longer; workers that
   * accept connections are not waited for. Call it after {@linkcode close}.
   */
  async datagramsLeft(): Promise<void> {
    await this.#datagramsLeft;
  }

  /**
   * Stops accepting if it has not yet, lets the sessions finish, and after `timeoutMs` ends those that are left.
   *
   * @param timeoutMs Infinity lets them take as long as they like; a later call may put an end to that, and never prolongs it.
   * @return How many had to be ended.
   */
  async drain(timeoutMs: number): Promise<number> {
    void this.close();
    if (performance.now() + timeoutMs < this.#deadlineMs) this.setDeadline(timeoutMs);
    const ends = await Promise.all(this.#workers.map(({ worker }) => worker.ended));
    this.setDeadline(Infinity);
    await this.#left;
    const closed = ends.reduce((sum, end) => sum + (end.drained ? end.closedSessions : 0), 0);
    return this.#workers.reduce((sum, { lost }) => sum + lost, closed);
  }

  /** Ends the sessions that are left so long after now, instead of when it was to be; Infinity lets them finish. */
  setDeadline(timeoutMs: number): void {
    for (const timer of this.#deadlines) clearTimeout(timer);
    this.#deadlineMs = performance.now() + timeoutMs;
    this.#deadlines = timeoutMs === Infinity ? [] : [
      setTimeout(() => this.#workers.forEach(({ worker }) => worker.closeSessions()), timeoutMs),
      setTimeout(() => this.#workers.forEach(({ worker }) => worker.terminate()), timeoutMs + CLOSE_GRACE_MS),
    ];
  }

  /**
   * Applies a plan that its workers can follow; resolves when they have applied it.
   *
   * @return Whether all of them answered. Then none takes a slot of a departed backend any more.
   */
  async adjust(plan: Plan): Promise<boolean> {
    const changes = changesBetween(this.#plan, plan);
    // A worker that is restarted meanwhile begins with it.
    this.#plan = plan;
    return await this.#tell(changes);
  }

  /** Uses these keys for the connections to come; resolves when its workers do. */
  async renew(keys: AllTlsKeys): Promise<void> {
    this.#keys = keys;
    const answers = Promise.all(this.#crews.map((crew) => crew.renew(keys)));
    await waitForAnswer(answers, Infinity, this.#options.stop);
  }

  /** Resolves with whether every worker has handled all messages that were sent before, and all answers have arrived. */
  async confirm(): Promise<boolean> {
    return await this.#tell([]);
  }

  /** Whether all workers have answered; false when the balancer is to stop before they have. */
  async #tell(changes: readonly PoolChange[]): Promise<boolean> {
    const answers = Promise.all(this.#workers.map(({ worker }) => worker.adjust(changes)));
    const how = await waitForAnswer(answers, Infinity, this.#options.stop);
    return how === "answered" && !(await answers).includes(false);
  }

  /** Active sessions, the oldest first, at most `limit` of each worker. */
  async sessions(limit: number, filter: LiveSessionFilter): Promise<LiveSessionFacts[]> {
    return (await Promise.all(this.#workers.map(({ worker }) => worker.sessions(limit, filter)))).flat();
  }

  /** Ends one session; false when there is none with this id. */
  async endSession(id: string, reason: EndReason): Promise<boolean> {
    return (await Promise.all(this.#workers.map(({ worker }) => worker.endSession(id, reason)))).includes(
      true,
    );
  }

  /** Largest event-loop lag of each worker since its last report. */
  lags(): { readonly id: number; readonly lagMs: number }[] {
    return this.#workers.map(({ number, worker }) => ({ id: number, lagMs: worker.lagMs }));
  }

  /** Ends the sessions at a backend, which is known by its row. */
  endSessions(backend: BackendRow, reason: EndReason): void {
    for (const { worker } of this.#workers) worker.endSessions(backend, reason);
  }

  async #begin(): Promise<void> {
    const { plan, before, workers, beforeAccept, stop, deps } = this.#options;
    if (before !== undefined) checkSameEngines(deps.engine, plan, before);
    checkGiven(deps.engine, plan);
    checkAnswers(deps.engine, plan.listeners);
    for (const crew of this.#crews) {
      // deno-lint-ignore no-await-in-loop -- one after the other, so that a fault leaves none behind
      await crew.sockets.prepare();
    }
    if (stop.aborted) throw new RunError(STOPPING);
    deps.openFiles.check(workers * this.#crews.length, plan.listeners.length);
    const all = { ...deps, plan: () => this.#plan, keys: () => this.#keys, draining: this.#draining.signal };
    this.#crews.forEach((crew, i) => crew.start(workers, i * workers, all));
    await this.#allListen();
    await Promise.all(this.#crews.map((crew) => crew.sockets.takeOverPaths()));
    await beforeAccept();
    // Not before: a generation that cannot begin has no sessions that it could take along.
    for (const { worker } of this.#workers) worker.accept();
  }

  /** Resolves when every worker listens; rejects when one has died, or does not come to it. */
  async #allListen(): Promise<void> {
    const { stop, deps: { patience: { listenMs } } } = this.#options;
    const all = Promise.all(this.#workers.map(({ worker }) => worker.listening));
    const answer = await waitForAnswer(all, listenMs, stop);
    if (stop.aborted) throw new RunError(STOPPING);
    if (answer === "late") {
      throw new RunError(`a worker did not come to listen within ${formatDuration(listenMs)}`);
    }
    this.confinement = await all;
    // One that listened may have died while the others did not yet.
    const dead = this.#workers.find(({ worker }) => worker.end !== undefined)?.worker.end;
    if (dead !== undefined && !dead.drained) throw new RunError(`a worker died: ${dead.reason}`);
  }
}
