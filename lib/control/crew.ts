/**
 * The workers of a generation that have one engine, with the listeners that they serve. All of a generation, unless some listeners need
 * what its engine cannot do: those are served by workers of another one beside them. So are listeners for datagrams where the kernel
 * confines workers to their ports, which it can do for connections alone.
 */

import { formatAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { type AllTlsKeys, type ListenerOptions, NO_TLS_KEYS, socketsOf } from "../dataplane/messages.ts";
import type { EngineHost } from "./engine_host.ts";
import type { GenerationSockets } from "./generation_sockets.ts";
import { KeptWorker, type WorkerDeps } from "./kept_worker.ts";
import { permittedBy, type Plan } from "./plan.ts";

/** What the crews of a generation share. */
export type CrewDeps = Omit<WorkerDeps, "permitted" | "sockets" | "firstIndex" | "count">;

export class Crew {
  readonly workers: KeptWorker[] = [];
  readonly sockets: GenerationSockets;
  /** Whether its workers read datagrams; then they accept no connections. */
  readonly readsDatagrams: boolean;
  readonly #host: EngineHost;
  readonly #serves: (listener: ListenerOptions) => boolean;

  /**
   * @param host Of its workers.
   * @param serves Which listeners its workers serve.
   * @param plan What the generation starts with.
   */
  constructor(host: EngineHost, serves: (listener: ListenerOptions) => boolean, plan: Plan) {
    this.#host = host;
    this.#serves = serves;
    const { listeners } = this.#part(plan);
    this.sockets = host.sockets(listeners);
    this.readsDatagrams = listeners.some(hasDatagrams);
  }

  /** Of some listeners those that are served by this crew, or were by one like it. */
  listenersAmong(listeners: readonly ListenerOptions[]): ListenerOptions[] {
    return listeners.filter(this.#serves);
  }

  /**
   * Starts workers; one, where one alone can read what they are for.
   *
   * @param most How many, where all of them can.
   * @param firstIndex Of the first of them in the generation.
   * @throws {RunError} when the runtime does not permit one; those that were started are in `workers`.
   */
  start(most: number, firstIndex: number, deps: CrewDeps): void {
    const count = this.readsDatagrams && !this.#host.sharesDatagrams ? 1 : most;
    const all = {
      ...deps,
      engine: this.#host,
      plan: () => this.#part(deps.plan()),
      keys: () => this.#host.opensTls ? deps.keys() : NO_TLS_KEYS,
      permitted: permittedBy(this.#part(deps.plan()), this.permitsSubnets),
      sockets: this.sockets,
      firstIndex,
      count,
    };
    for (let i = 0; i < count; i++) this.workers.push(new KeptWorker(firstIndex + i, all));
  }

  /** Whether its workers may be permitted subnets. */
  get permitsSubnets(): boolean {
    return this.#host.permitsSubnets;
  }

  /** Uses these keys for the connections to come; resolves when its workers do. A worker that opens no TLS is given no keys. */
  async renew(keys: AllTlsKeys): Promise<void> {
    if (this.#host.opensTls) await Promise.all(this.workers.map(({ worker }) => worker.renew(keys)));
  }

  /** Ends what was started, before it has accepted. */
  async withdraw(): Promise<void> {
    for (const worker of this.workers) worker.discard();
    await this.sockets.withdraw(this.workers[0]?.worker.hasListened === true);
  }

  /** A plan as the workers of this crew see it. */
  #part(plan: Plan): Plan {
    return { ...plan, listeners: this.listenersAmong(plan.listeners) };
  }
}

/**
 * Makes sure that no socket has to go from one engine to another, which cannot both have it.
 *
 * @param before What is listened on now.
 * @throws {RunError} when one would have to.
 */
export function checkSameEngines(host: EngineHost, plan: Plan, before: Plan): void {
  const hosts = new Map(before.listeners.flatMap((listener) => {
    return socketsOf(listener).map((address) => [formatAddress(address), host.hostOf(listener)] as const);
  }));
  for (const listener of plan.listeners) {
    const moved = socketsOf(listener).map(formatAddress).find((address) => {
      return hosts.has(address) && hosts.get(address) !== host.hostOf(listener);
    });
    if (moved === undefined) continue;
    throw new RunError(
      `listener ${listener.name}: with the engine epoll a reload cannot ${
        listener.opensTls === true ? "begin" : "cease"
      } to open TLS at ${moved}; this needs a restart, or another port`,
    );
  }
}

/**
 * Makes sure that what was given to the process can be used by those that are to have it.
 *
 * @throws {RunError} when TLS is opened with it, or was: the runtime does that, and listens by itself.
 */
export function checkGiven(host: EngineHost, { listeners }: Plan): void {
  for (const listener of listeners) {
    for (const address of socketsOf(listener)) {
      const given = host.book?.givenAt(address);
      if (given === undefined) continue;
      if (host.hostOf(listener) === host && given.descriptors.length > 0) continue;
      throw new RunError(
        `cannot listen on ${
          formatAddress(address)
        }: TLS is opened there, and such a socket can be neither passed nor taken; ` +
          "restart without --take-over, and leave it out of the sockets of systemd",
      );
    }
  }
}

/**
 * The crews that a plan needs: one for each engine, and one for datagrams. Workers that have datagrams may reach more than the others:
 * the kernel knows no ports of datagrams, and the runtime asks for the permission to answer each client.
 */
export function crewsOf(host: EngineHost, plan: Plan): Crew[] {
  const crews: Crew[] = [];
  for (const first of plan.listeners) {
    const own = host.hostOf(first);
    const serves = (it: ListenerOptions): boolean => {
      return host.hostOf(it) === own && hasDatagrams(it) === hasDatagrams(first);
    };
    if (!crews.some((crew) => crew.listenersAmong([first]).length > 0)) {
      crews.push(new Crew(own, serves, plan));
    }
  }
  return crews;
}

function hasDatagrams({ address }: ListenerOptions): boolean {
  return address.transport === "udp";
}
