/**
 * The flows that workers keep although others read at their listeners by now: whose they are, and the way of their datagrams from the
 * workers that receive them to the workers that have the flows. It goes on over any number of reloads, until a flow is over or its
 * worker is no more.
 */

import { formatEndpoint } from "../core/endpoint.ts";
import type { FlowsAt, PassedDatagram } from "../dataplane/messages.ts";

/** A worker with listeners for datagrams. */
export interface FlowWorker {
  /** Begins to read, or goes on; others have these flows. */
  takeOver(flows: readonly FlowsAt[]): void;
  /** Others have these flows no more. */
  flowsOver(flows: readonly FlowsAt[]): void;
  /** Ends as many flows, those that are idle for longest. */
  makeRoom(listener: string, count: number): void;
  /** Gives it datagrams for its flows. */
  deliver(datagrams: readonly PassedDatagram[]): void;
}

export class FlowExchange {
  /** Who has the flow of a client, by listener. */
  readonly #keepers = new Map<string, Map<string, FlowWorker>>();
  /** Those that have begun to read, until they are no more. */
  readonly #workers = new Set<FlowWorker>();
  /** Of these, those that have not been told to leave that to others. */
  readonly #readers = new Set<FlowWorker>();
  /** Counts the workers that were asked for one more than the others. */
  #nextToMakeRoom = 0;

  /** Lets a worker read datagrams. */
  join(worker: FlowWorker): void {
    this.#workers.add(worker);
    this.#readers.add(worker);
    worker.takeOver(
      [...this.#keepers].map(([listener, keepers]) => ({ listener, clients: [...keepers.keys()] })),
    );
  }

  /** A worker is told to drain. */
  leave(worker: FlowWorker): void {
    this.#readers.delete(worker);
  }

  /** A worker reads no more at these listeners, and keeps these flows. */
  handedOver(worker: FlowWorker, flows: readonly FlowsAt[]): void {
    for (const { listener, clients } of flows) {
      const keepers = this.#keepersAt(listener);
      for (const client of clients) keepers.set(client, worker);
    }
    // There are some when this one comes late: they join when all that were before them have handed over, or hang.
    for (const reader of this.#readers) reader.takeOver(flows);
  }

  /** A worker has these flows no more. One that another worker has by now goes on. */
  over(worker: FlowWorker, flows: readonly FlowsAt[]): void {
    const own = flows.map(({ listener, clients }) => ({
      listener,
      clients: clients.filter((client) => this.#keepers.get(listener)?.get(client) === worker),
    })).filter(({ clients }) => clients.length > 0);
    if (own.length === 0) return;
    for (const { listener, clients } of own) {
      const keepers = this.#keepersAt(listener);
      for (const client of clients) keepers.delete(client);
      if (keepers.size === 0) this.#keepers.delete(listener);
    }
    for (const other of this.#workers) if (other !== worker) other.flowsOver(own);
  }

  /** A worker is no more. */
  ended(worker: FlowWorker): void {
    this.#workers.delete(worker);
    this.#readers.delete(worker);
    const flows = [...this.#keepers].map(([listener, keepers]) => ({
      listener,
      clients: [...keepers].flatMap(([client, keeper]) => keeper === worker ? [client] : []),
    })).filter(({ clients }) => clients.length > 0);
    if (flows.length > 0) this.over(worker, flows);
  }

  /**
   * Gives datagrams to the workers that have their flows. Where a flow is over by now, the worker that has passed its datagram on gets it
   * back: it was told so before, and begins another one.
   */
  passOn(worker: FlowWorker, datagrams: readonly PassedDatagram[]): void {
    const byKeeper = new Map<FlowWorker, PassedDatagram[]>();
    for (const datagram of datagrams) {
      const keeper = this.#keepers.get(datagram.listener)?.get(formatEndpoint(datagram.client)) ?? worker;
      const given = byKeeper.get(keeper);
      if (given === undefined) byKeeper.set(keeper, [datagram]);
      else given.push(datagram);
    }
    for (const [keeper, given] of byKeeper) keeper.deliver(given);
  }

  /**
   * A worker has found no room for as many flows. Those of older workers make it, each for as many as it has at most; where there are
   * none, those of the workers beside it, each a part, in turn.
   */
  makeRoom(worker: FlowWorker, listener: string, count: number): void {
    const kept = new Map<FlowWorker, number>();
    for (const keeper of this.#keepers.get(listener)?.values().take(count) ?? []) {
      kept.set(keeper, (kept.get(keeper) ?? 0) + 1);
    }
    for (const [keeper, part] of kept) keeper.makeRoom(listener, part);
    if (kept.size > 0) return;
    const others = [...this.#workers].filter((it) => it !== worker);
    const [each, left] = [Math.floor(count / others.length), count % others.length];
    others.forEach((other, i) => {
      const turn = (i + others.length - this.#nextToMakeRoom % others.length) % others.length;
      const part = each + (turn < left ? 1 : 0);
      if (part > 0) other.makeRoom(listener, part);
    });
    this.#nextToMakeRoom += left;
  }

  /** There may be fewer flows than there are: older workers end so many, each its share of them. */
  shrink(listener: string, surplus: number): void {
    const counts = new Map<FlowWorker, number>();
    const keepers = this.#keepers.get(listener)?.values() ?? [];
    for (const keeper of keepers) counts.set(keeper, (counts.get(keeper) ?? 0) + 1);
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    let [seen, told] = [0, 0];
    for (const [keeper, count] of counts) {
      seen += count;
      const part = Math.floor(Math.min(surplus, total) * seen / total) - told;
      told += part;
      if (part > 0) keeper.makeRoom(listener, part);
    }
  }

  #keepersAt(listener: string): Map<string, FlowWorker> {
    const keepers = this.#keepers.get(listener) ?? new Map();
    this.#keepers.set(listener, keepers);
    return keepers;
  }
}
