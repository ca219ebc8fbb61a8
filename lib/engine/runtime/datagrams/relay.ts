/** The relay of a flow: each datagram by itself, whole, in the order in which they came. */

import { errnoOf } from "../../../core/errors.ts";
import type { Direction, Paces, RelayEvents } from "../../contract.ts";
import { isUnreachable } from "../../unreachable.ts";
import type { DatagramBuffers } from "./datagram_buffers.ts";
import { FairShare, nextTurn } from "./fair_share.ts";
import type { RuntimeFlow } from "./flow.ts";
import type { RuntimeUpstream } from "./upstream.ts";

/** Relays as {@linkcode Engine.relay} says, until both are closed, or the backend cannot be reached. */
export function relayDatagrams(
  flow: RuntimeFlow,
  upstream: RuntimeUpstream,
  on: RelayEvents,
  buffers: DatagramBuffers,
  paces: Paces | undefined,
): void {
  new DatagramRelay(flow, upstream, on, paces).begin(buffers);
}

class DatagramRelay {
  readonly #flow: RuntimeFlow;
  readonly #upstream: RuntimeUpstream;
  readonly #on: RelayEvents;
  readonly #paces: Paces | undefined;
  #isSending = false;
  #isOver = false;

  constructor(flow: RuntimeFlow, upstream: RuntimeUpstream, on: RelayEvents, paces: Paces | undefined) {
    this.#flow = flow;
    this.#upstream = upstream;
    this.#on = on;
    this.#paces = paces;
  }

  begin(buffers: DatagramBuffers): void {
    this.#flow.onClosed = this.#upstream.onClosed = () => {
      if (this.#flow.isClosed && this.#upstream.isClosed) this.#finish();
    };
    this.#flow.onDatagram = () => {
      if (!this.#isSending) void this.#forward();
    };
    void this.#forward();
    void this.#answer(buffers);
  }

  /** What waits, to the backend, but for what is above the limit. */
  async #forward(): Promise<void> {
    this.#isSending = true;
    for (let datagram = this.#flow.next(); datagram !== undefined; datagram = this.#flow.next()) {
      if (this.#paces?.in?.passes(datagram.length) === false) continue;
      try {
        // deno-lint-ignore no-await-in-loop -- datagrams are sent in order
        await this.#upstream.send(datagram);
        this.#moved("in", datagram.length);
      } catch (error) {
        if (error instanceof Deno.errors.NotCapable || isUnreachable(errnoOf(error))) this.#backendGone();
        else this.#flow.dropped++;
      }
    }
    this.#isSending = false;
  }

  /** What comes from the backend, to the client, but for what is above the limit. */
  async #answer(buffers: DatagramBuffers): Promise<void> {
    const buffer = buffers.take();
    const share = new FairShare();
    while (!this.#isEnded) {
      // deno-lint-ignore no-await-in-loop -- datagrams are sent in order
      const datagram = await this.#upstream.receive(buffer).catch(() => this.#backendGone());
      if (datagram === undefined) break;
      try {
        if (this.#paces?.out?.passes(datagram.length) !== false) {
          // deno-lint-ignore no-await-in-loop -- datagrams are sent in order
          await this.#flow.answer(datagram);
          this.#moved("out", datagram.length);
        }
      } catch (error) {
        // Any other is lost as it could be on its way.
        this.#flow.dropped++;
        const isForbidden = error instanceof Deno.errors.NotCapable;
        this.#tell(() => isForbidden ? this.#on.fault(error) : this.#on.answerLost());
      }
      // deno-lint-ignore no-await-in-loop -- others are to have their turn
      if (share.spend()) await nextTurn();
    }
    buffers.giveBack(buffer);
  }

  #moved(direction: Direction, bytes: number): void {
    this.#tell(() => this.#on.moved(direction, bytes));
  }

  #backendGone(): undefined {
    this.#tell(() => this.#on.backendGone());
    this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      this.#on.finished();
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  get #isEnded(): boolean {
    return this.#isOver || this.#flow.isClosed || this.#upstream.isClosed;
  }

  /** Nothing but its end is told any more when one of the two is closed. */
  #tell(event: () => void): void {
    if (this.#isEnded) return;
    try {
      event();
    } catch (fault) {
      this.#on.fault(fault);
    }
  }
}
