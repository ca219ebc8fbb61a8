import type { Address } from "../../core/address.ts";
import type { NextSource } from "../../core/next_source.ts";
import type { DialEvents, Socket } from "../contract.ts";
import { dialFaultWeight } from "../dial_fault.ts";
import { DialOne } from "./dial_one.ts";
import type { EngineTools } from "./tools.ts";

/** So long the earlier addresses have for themselves before the next is dialled beside them (RFC 8305, 5). */
const NEXT_ADDRESS_MS = 250;

/**
 * Several addresses of one peer: the next one is dialled when one has failed, or after 250 ms beside those that have not answered
 * yet. The first that answers is used.
 */
export class DialEach {
  readonly #tools: EngineTools;
  readonly #addresses: readonly Address[];
  readonly #on: DialEvents;
  readonly #source: NextSource | undefined;
  readonly #dials: DialOne[] = [];
  #failures = 0;
  #worst: { readonly error: unknown; readonly weight: number } | undefined;
  #stopTimer: () => void = () => {};

  constructor(tools: EngineTools, addresses: readonly Address[], on: DialEvents, source?: NextSource) {
    this.#tools = tools;
    this.#addresses = addresses;
    this.#on = on;
    this.#source = source;
    this.#dialNext();
  }

  /** Nothing is told any more, and nothing of it stays open. */
  cancel(): void {
    this.#stopTimer();
    for (const dial of this.#dials) dial.cancel();
  }

  #dialNext(): void {
    this.#stopTimer();
    const address = this.#addresses[this.#dials.length];
    if (address === undefined) return;
    this.#dials.push(
      new DialOne(this.#tools, address, {
        connected: (socket) => this.#connected(socket),
        dialFailed: (error) => this.#failed(error, address),
        fault: (fault) => this.#on.fault(fault),
      }, this.#source),
    );
    if (this.#dials.length === this.#addresses.length) return;
    this.#stopTimer = this.#tools.loop.timers.later(NEXT_ADDRESS_MS, () => this.#dialNext());
  }

  #connected(socket: Socket): void {
    this.cancel();
    this.#on.connected(socket);
  }

  #failed(error: unknown, address: Address): void {
    const weight = dialFaultWeight(error, address);
    if (this.#worst === undefined || weight >= this.#worst.weight) this.#worst = { error, weight };
    if (++this.#failures < this.#addresses.length) return this.#dialNext();
    this.cancel();
    this.#on.dialFailed(this.#worst.error);
  }
}
