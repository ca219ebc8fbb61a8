import type { EpollClient } from "../engine/epoll/client.ts";
import { GONE, type SocketOwner } from "../engine/epoll/socket.ts";
import { type Exchange, SAME } from "./exchange.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** One connection receives so often at a time; then others have their turn. */
const MAX_RECEIVES = 16;

export interface ExchangeEvents {
  /** Bytes came, or the peer has taken some that were left. */
  moved(): void;
  /** The peer has ended, or the last answer was sent. The last that is told. */
  over(): void;
  /** The peer has gone. The last that is told. */
  gone(): void;
}

/** An exchange on a connection of the engine epoll. Nothing is received before the answer to what came is sent. */
export class EpollExchange implements SocketOwner {
  readonly #client: EpollClient;
  readonly #exchange: Exchange;
  readonly #on: ExchangeEvents;
  /** What the system has not taken yet of an answer that is not held by the socket. */
  #unsent: Bytes | undefined;
  #isDone = false;

  constructor(client: EpollClient, exchange: Exchange, on: ExchangeEvents) {
    this.#client = client;
    this.#exchange = exchange;
    this.#on = on;
  }

  begin(): void {
    const client = this.#client;
    client.owner = this;
    const { opening } = this.#exchange;
    if (opening !== undefined && !this.#answer(opening)) return;
    const { early } = client;
    if (early !== undefined && early.length > 0) {
      client.skip(early.length);
      const { buffers } = client.tools;
      buffers.current.set(early);
      this.#on.moved();
      if (!this.#answer(this.#exchange.received(buffers.current, early.length), early.length)) return;
    }
    this.onReady(client, false);
  }

  onReady(client: EpollClient, isWritable: boolean): void {
    if (this.#isDone) return;
    if (this.#isWaiting && (!isWritable || !this.#flush())) return;
    if (this.#exchange.isOver) return this.#end();
    const { buffers, loop } = client.tools;
    for (let receives = 0; client.isReadable; receives++) {
      if (receives === MAX_RECEIVES) return loop.soon(() => client.isClosed || this.onReady(client, false));
      const got = client.receive(buffers.current);
      if (got === GONE) return this.#gone();
      if (got === 0) break;
      this.#on.moved();
      if (!this.#answer(this.#exchange.received(buffers.current, got), got)) return;
      if (this.#exchange.isOver) return this.#end();
    }
    if (client.isAtEnd) this.#end();
  }

  onClosed(): void {
    this.#gone();
  }

  get #isWaiting(): boolean {
    return this.#unsent !== undefined || this.#client.held !== undefined;
  }

  /** False when there is no more to do now. */
  #answer(answer: Bytes | typeof SAME | undefined, length = 0): boolean {
    if (answer === undefined) return true;
    const client = this.#client;
    if (answer === SAME) {
      if (client.send(length) === GONE) this.#gone();
      return !this.#isDone && client.held === undefined;
    }
    const taken = client.sendFrom(answer);
    if (taken === GONE) this.#gone();
    else if (taken < answer.length) this.#unsent = answer.subarray(taken);
    return !this.#isDone && this.#unsent === undefined;
  }

  /** Whether all is sent now. */
  #flush(): boolean {
    const client = this.#client;
    const unsent = this.#unsent;
    const taken = unsent === undefined ? client.flush() : client.sendFrom(unsent);
    if (taken === GONE) this.#gone();
    else if (unsent !== undefined) this.#unsent = taken < unsent.length ? unsent.subarray(taken) : undefined;
    if (taken > 0) this.#on.moved();
    return !this.#isDone && !this.#isWaiting;
  }

  #end(): void {
    this.#isDone = true;
    this.#on.over();
  }

  #gone(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#on.gone();
  }
}
