/** All generations of workers: the current one, and those that drain. */

import type { Config } from "../config/schema.ts";
import { formatAddress } from "../core/address.ts";
import {
  type AllTlsKeys,
  type ListenerOptions,
  type LiveSessionFacts,
  type LiveSessionFilter,
  socketsOf,
} from "../dataplane/messages.ts";
import type { EndReason } from "../dataplane/record.ts";
import type { BackendRow } from "../pool/row.ts";
import { countsSessions, drainTimeoutOf, isConfinementRequired, recordsOf, workersOf } from "./demands.ts";
import { Generation, type GenerationDeps, type GenerationOptions } from "./generation.ts";
import type { Plan } from "./plan.ts";

export interface GenerationsOptions {
  /** What is the same for all of them. */
  readonly deps: Omit<GenerationDeps, "recordSessions" | "tallySessions" | "isConfinementRequired">;
  /** Told when one that was retired has come to its end. */
  readonly onDrained: (generation: Generation, closedSessions: number) => void;
  /** Aborted when the balancer is to stop: nothing more is started. */
  readonly stop: AbortSignal;
}

export class Generations {
  /** Counts those that were started. */
  started = 0;
  /** Undefined before the first has been started. */
  current: Generation | undefined;
  readonly #options: GenerationsOptions;
  /** The oldest first. */
  readonly #all = new Set<Generation>();

  constructor(options: GenerationsOptions) {
    this.#options = options;
  }

  /** Those that were started and have not come to their end, the oldest first. */
  get all(): readonly Generation[] {
    return [...this.#all];
  }

  /** The listeners for datagrams of those that drain. */
  get lingering(): ListenerOptions[] {
    return this.all.filter((it) => it !== this.current)
      .flatMap(({ plan }) => plan.listeners.filter(({ flows }) => flows));
  }

  /**
   * Starts the next one, which is the current one from then on; resolves when it accepts. The one before goes on until it is
   * retired.
   *
   * @param beforeAccept Called when all workers listen, before one accepts; when it has resolved, nothing can fail any more.
   * @throws {RunError} when it cannot; then nothing has changed.
   */
  async start(
    plan: Plan,
    config: Config,
    keys: AllTlsKeys,
    beforeAccept: GenerationOptions["beforeAccept"],
  ): Promise<void> {
    const { deps, stop } = this.#options;
    const generation = await Generation.start({
      number: this.started + 1,
      plan,
      keys,
      before: this.current?.plan,
      workers: workersOf(config),
      deps: {
        ...deps,
        recordSessions: recordsOf(config),
        tallySessions: countsSessions(config),
        isConfinementRequired: isConfinementRequired(config),
      },
      beforeAccept,
      stop,
    });
    this.started++;
    this.#all.add(generation);
    this.current = generation;
  }

  /**
   * Stops accepting in a generation that has been replaced, and lets its sessions finish; resolves when it has stopped accepting. From then
   * on the current one reads datagrams, and knows whose flows are older.
   */
  async retire(generation: Generation, next: Plan, drainTimeoutMs: number): Promise<void> {
    const closed = generation.close(next);
    await Promise.all([generation.datagramsLeft(), ...this.all.map((it) => it.leaveTo(next))]);
    this.current?.readDatagrams();
    const { scoreboard, flows: exchange } = this.#options.deps;
    for (const { address, row, flows } of next.listeners) {
      if (flows !== undefined) {
        exchange.shrink(formatAddress(address), scoreboard.count(row) - flows.maxFlows);
      }
    }
    await closed;
    void this.#drain(generation, drainTimeoutMs);
  }

  /** Stops accepting, where another process listens at these addresses; resolves when no worker accepts any more. */
  async leaveTo(addresses: ReadonlySet<string>): Promise<void> {
    if (this.current === undefined) return;
    const { plan } = this.current;
    const listeners = plan.listeners.filter((it) => {
      return socketsOf(it).every((at) => addresses.has(formatAddress(at)));
    });
    await this.current.close({ ...plan, listeners });
  }

  /** Applies the drain timeout of a configuration to the generations that drain. */
  limitLingering(config: Config): void {
    for (const generation of this.#all) {
      if (generation !== this.current) generation.setDeadline(drainTimeoutOf(config));
    }
  }

  /**
   * Lets all of them drain; resolves with how many sessions had to be ended. What comes to sockets that go on in another process waits
   * there: no datagram of it is read.
   */
  async drain(timeoutMs: number): Promise<number> {
    const { open = [] } = this.#options.deps.engine.book ?? {};
    const goOn = open.filter(({ isManaged }) => isManaged).map(({ address }) => formatAddress(address));
    if (goOn.length > 0) await this.leaveTo(new Set(goOn));
    const closed = await Promise.all(this.all.map((it) => it.drain(timeoutMs)));
    return closed.reduce((sum, count) => sum + count, 0);
  }

  /** Resolves with whether every worker has handled all messages that were sent before, and all answers have arrived. */
  async confirm(): Promise<boolean> {
    return !(await Promise.all(this.all.map((it) => it.confirm()))).includes(false);
  }

  /** Ends the sessions at a backend, which is known by its row. */
  endSessions(backend: BackendRow, reason: EndReason): void {
    for (const generation of this.#all) generation.endSessions(backend, reason);
  }

  /** Ends one session; false when there is none with this id. */
  async endSession(id: string, reason: EndReason): Promise<boolean> {
    return (await Promise.all(this.all.map((it) => it.endSession(id, reason)))).includes(true);
  }

  /** Active sessions, the oldest first, at most `limit`. */
  async sessions(limit: number, filter: LiveSessionFilter = {}): Promise<LiveSessionFacts[]> {
    const all = (await Promise.all(this.all.map((it) => it.sessions(limit, filter)))).flat();
    return all.sort((a, b) => b.age_ms - a.age_ms).slice(0, limit);
  }

  async #drain(generation: Generation, timeoutMs: number): Promise<void> {
    const closedSessions = await generation.drain(timeoutMs);
    this.#all.delete(generation);
    this.#options.onDrained(generation, closedSessions);
  }
}
