/**
 * Flows at a reload. The workers that read next are told whose flows the workers before them still have, before they read; what they
 * receive for those goes through the control plane to the worker that has the flow.
 */

import { formatAddress, type IpAddress } from "../core/address.ts";
import { type Endpoint, formatEndpoint } from "../core/endpoint.ts";
import type { Engine, Listener } from "../engine/contract.ts";
import type { Flows } from "./flows.ts";
import type { FlowsAt, FromWorker, ListenerOptions, PassedDatagram } from "./messages.ts";

/** A batch is sent at the end of the turn, or as soon as it has so many datagrams. */
const MAX_BATCH = 64;

/** So many are on their way to the control plane at most; more are dropped. */
const MAX_UNDERWAY = 1_024;

/** So many flows end in one turn at most, since nothing else is done meanwhile. */
const MAX_ENDED_AT_ONCE = 256;

/** A listener of this worker. */
interface Reading {
  readonly listener: Listener;
  readonly flows: Flows;
}

export interface HandoverOptions {
  readonly later: Engine["later"];
  readonly tell: (message: FromWorker) => void;
}

/** All listeners are known by their addresses. */
export class Handover {
  readonly #options: HandoverOptions;
  readonly #reading = new Map<string, Reading>();
  /** The clients whose flows other workers have. */
  readonly #others = new Map<string, Set<string>>();
  #passed: PassedDatagram[] = [];
  #underway = 0;
  /** Clients whose flows were other workers' to know of, and are over. */
  #over = new Map<string, string[]>();
  /** How often other workers are to make room, by listener. */
  #wanted = new Map<string, number>();
  #isFlushing = false;

  constructor(options: HandoverOptions) {
    this.#options = options;
  }

  /** Datagrams are read from now on. */
  read({ address }: ListenerOptions, reading: Reading): void {
    this.#reading.set(formatAddress(address), reading);
  }

  /** Other workers have these flows. */
  learn(all: readonly FlowsAt[]): void {
    for (const { listener, clients } of all) {
      const known = this.#othersAt(listener);
      for (const client of clients) known.add(client);
    }
  }

  /** They have them no more. */
  forget(all: readonly FlowsAt[]): void {
    for (const { listener, clients } of all) {
      const known = this.#othersAt(listener);
      for (const client of clients) known.delete(client);
    }
  }

  /** What passes on what is for a flow that another worker has, as {@linkcode AcceptOptions.passOn} says. */
  passOnAt({ address }: ListenerOptions): (client: Endpoint, datagram: Uint8Array) => boolean {
    const listener = formatAddress(address);
    const others = this.#othersAt(listener);
    return (client, datagram) => {
      if (others.size === 0 || client.transport === "unix" || !others.has(formatEndpoint(client))) {
        return false;
      }
      this.#pass(listener, client, datagram);
      return true;
    };
  }

  /** The control plane has so many of those that were passed on. */
  passedOn(count: number): void {
    this.#underway -= count;
  }

  /** Handles what others have received for flows of this worker. */
  deliver(datagrams: readonly PassedDatagram[]): void {
    for (const { listener, client, bytes } of datagrams) {
      this.#reading.get(listener)?.listener.deliver?.(client, bytes);
    }
  }

  /** These listeners are read by other workers from now on: tells which flows stay here. */
  handOver(listeners: ReadonlySet<string>): void {
    const flows = [...this.#reading].flatMap(([listener, { flows }]) => {
      return listeners.has(listener) ? [{ listener, clients: flows.handOver() }] : [];
    });
    if (flows.length > 0) this.#options.tell({ type: "handed_over", flows });
  }

  /** These listeners, which were to be read on for the flows that are here, are read by other workers from now on. */
  leaveTo(listeners: readonly string[]): void {
    for (const address of listeners) this.#reading.get(address)?.listener.leave?.();
    this.handOver(new Set(listeners));
  }

  /** A flow that was handed over is over. */
  over({ address }: ListenerOptions, client: string): void {
    const listener = formatAddress(address);
    const clients = this.#over.get(listener);
    if (clients === undefined) this.#over.set(listener, [client]);
    else clients.push(client);
    this.#flushSoon();
  }

  /** How many flows at this listener other workers have kept. */
  keptByOthers({ address }: ListenerOptions): number {
    return this.#othersAt(formatAddress(address)).size;
  }

  /** There are as many flows as there may be, and other workers are to end one. */
  wantRoom({ address }: ListenerOptions): void {
    const listener = formatAddress(address);
    this.#wanted.set(listener, (this.#wanted.get(listener) ?? 0) + 1);
    this.#flushSoon();
  }

  /** Ends as many flows, those that are idle for longest: another worker wants room. */
  makeRoom(listener: string, count: number): void {
    const flows = this.#reading.get(listener)?.flows;
    const now = Math.min(count, MAX_ENDED_AT_ONCE);
    for (let i = 0; i < now; i++) if (flows?.makeRoom() !== true) return;
    if (now < count) this.#options.later(0, () => this.makeRoom(listener, count - now));
  }

  #othersAt(listener: string): Set<string> {
    const known = this.#others.get(listener) ?? new Set();
    this.#others.set(listener, known);
    return known;
  }

  #pass(listener: string, { transport, host, port }: IpAddress, datagram: Uint8Array): void {
    if (this.#underway >= MAX_UNDERWAY) return;
    this.#underway++;
    this.#passed.push({ listener, client: { transport, host, port }, bytes: datagram.slice() });
    if (this.#passed.length >= MAX_BATCH) this.flush();
    else this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#options.later(0, () => {
      this.#isFlushing = false;
      this.flush();
    });
  }

  /** Sends all that there is to send. */
  flush(): void {
    const [datagrams, over, wanted] = [this.#passed, this.#over, this.#wanted];
    if (datagrams.length > 0) {
      this.#passed = [];
      this.#options.tell({ type: "pass_on", datagrams });
    }
    if (over.size > 0) {
      this.#over = new Map();
      const flows = [...over].map(([listener, clients]) => ({ listener, clients }));
      this.#options.tell({ type: "flows_over", flows });
    }
    if (wanted.size > 0) this.#wanted = new Map();
    for (const [listener, count] of wanted) this.#options.tell({ type: "room_wanted", listener, count });
  }
}
