import type { Endpoint } from "../core/endpoint.ts";
import type { DatagramBuffers } from "../engine/runtime/datagrams/datagram_buffers.ts";
import { FairShare, nextTurn } from "../engine/runtime/datagrams/fair_share.ts";
import type { RuntimeUpstream } from "../engine/runtime/datagrams/upstream.ts";
import type { Link, LinkEvents } from "./link.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A socket for the datagrams of one peer. That nothing listens there is never told: the runtime connects no such socket. */
export class RuntimeDatagramLink implements Link {
  readonly #socket: RuntimeUpstream;
  readonly #buffers: DatagramBuffers;
  #on: LinkEvents | undefined;
  /** What the system has not taken yet; the first of them is being sent. */
  readonly #unsent: Bytes[] = [];

  constructor(socket: RuntimeUpstream, buffers: DatagramBuffers) {
    this.#socket = socket;
    this.#buffers = buffers;
  }

  get peer(): Endpoint {
    return this.#socket.peer;
  }

  get local(): Endpoint {
    return this.#socket.local;
  }

  get unsentBytes(): number {
    return this.#unsent.reduce((sum, { length }) => sum + length, 0);
  }

  get isClear(): boolean {
    return this.#unsent.length === 0;
  }

  begin(on: LinkEvents): void {
    this.#on = on;
    void this.#receive();
  }

  send(datagram: Bytes): void {
    this.#unsent.push(datagram);
    if (this.#unsent.length === 1) this.#send(datagram);
  }

  /** Datagrams have no end. */
  endSending(): void {}

  close(): void {
    this.#on = undefined;
    this.#socket.close();
  }

  async #receive(): Promise<void> {
    const buffer = this.#buffers.take();
    const share = new FairShare();
    try {
      while (this.#on !== undefined) {
        // deno-lint-ignore no-await-in-loop -- datagrams come one after the other
        const datagram = await this.#socket.receive(buffer);
        if (datagram === undefined) break;
        this.#on?.received(buffer, datagram.length);
        // deno-lint-ignore no-await-in-loop -- others are to have their turn
        if (share.spend()) await nextTurn();
      }
    } catch (error) {
      this.#onFault(error);
    }
    this.#buffers.giveBack(buffer);
  }

  #send(datagram: Bytes): void {
    this.#socket.send(datagram).then(this.#onSent, this.#onFault);
  }

  readonly #onSent = (): void => {
    if (this.#on === undefined) return;
    this.#unsent.shift();
    const [next] = this.#unsent;
    if (next === undefined) this.#on.drained();
    else this.#send(next);
  };

  readonly #onFault = (error: unknown): void => {
    const on = this.#on;
    this.close();
    on?.lost(error);
  };
}
