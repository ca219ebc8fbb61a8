import type { Endpoint } from "../core/endpoint.ts";
import type { ClientSocket, FirstBytesEvents, StreamSocket } from "../engine/contract.ts";
import type { EpollClient } from "../engine/epoll/client.ts";
import { GONE, type SocketOwner } from "../engine/epoll/socket.ts";

import { EpollExchange } from "./epoll_exchange.ts";
import type { Exchange } from "./exchange.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** So many reads and writes follow one another at once; then other connections have their turn. */
const MAX_AT_ONCE = 16;

/** One that waits for the socket. */
interface Waiting<Result> {
  readonly bytes: Bytes;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

/** A connection of the engine epoll that is read and written by promises, as handlers do. It is greeted before that, if at all. */
export class EpollConnection implements StreamSocket, SocketOwner {
  readonly #client: EpollClient;
  #read: Waiting<number | null> | undefined;
  #write: Waiting<number> | undefined;
  #atOnce = 0;
  #isPutOff = false;

  constructor(client: EpollClient) {
    this.#client = client;
    this.#goOn();
  }

  get peer(): Endpoint {
    return this.#client.peer;
  }

  get local(): Endpoint {
    return this.#client.local;
  }

  /** Runs an exchange; resolves when it is over, and then the connection is read and written as before. */
  exchange(exchange: Exchange, moved: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const over = (): void => {
        this.#goOn();
        resolve();
      };
      const gone = (): void => {
        this.#goOn();
        reject(new Error("the client has gone"));
      };
      new EpollExchange(this.#client, exchange, { moved, over, gone }).begin();
    });
  }

  readAhead(on: Parameters<ClientSocket["readAhead"]>[0]): void {
    this.#client.readAhead({ clientGone: () => this.#goOn(() => on.clientGone()) });
  }

  firstBytes(isEnough: (bytes: Uint8Array) => boolean, on: FirstBytesEvents, maxBytes: number): void {
    const told: FirstBytesEvents = {
      enough: (bytes) => this.#goOn(() => on.enough(bytes)),
      tooFew: (bytes) => this.#goOn(() => on.tooFew(bytes)),
      clientGone: () => this.#goOn(() => on.clientGone()),
      fault: (fault) => this.#goOn(() => on.fault(fault)),
    };
    this.#client.firstBytes(isEnough, told, maxBytes);
  }

  skip(bytes: number): void {
    this.#client.skip(bytes);
  }

  openTls(): never {
    return this.#client.openTls();
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#read = { bytes: buffer as Bytes, resolve, reject };
      this.#proceed();
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#write = { bytes: bytes as Bytes, resolve, reject };
      this.#proceed();
    });
  }

  closeWrite(): Promise<void> {
    const isEnded = !this.#client.isClosed && this.#client.endSending();
    return isEnded ? Promise.resolve() : Promise.reject(new Error("the client has gone"));
  }

  close(): void {
    this.#client.close();
    this.onClosed();
  }

  reset(): void {
    this.#client.reset();
    this.onClosed();
  }

  onReady(): void {
    this.#atOnce = 0;
    this.#proceed();
  }

  onClosed(): void {
    const error = new Error("The connection was closed");
    const [read, write] = [this.#read, this.#write];
    this.#read = this.#write = undefined;
    this.#goOn();
    read?.reject(error);
    write?.reject(error);
  }

  /** What waits for this is to go on, whatever it waits for next. */
  #goOn(call?: () => void): void {
    this.#client.tools.loop.letPromisesGoOn();
    call?.();
  }

  #proceed(): void {
    if (this.#client.isClosed) return this.onClosed();
    this.#client.owner = this;
    if (this.#isPutOff) return;
    if (++this.#atOnce > MAX_AT_ONCE) {
      this.#isPutOff = true;
      return this.#client.tools.loop.soon(() => {
        this.#isPutOff = false;
        this.onReady();
      });
    }
    this.#receive();
    this.#send();
  }

  #receive(): void {
    const read = this.#read;
    if (read === undefined) return;
    const got = this.#take(read.bytes);
    if (got === undefined) return;
    this.#read = undefined;
    this.#goOn();
    if (got === GONE) read.reject(new Error("the client has reset its connection"));
    else read.resolve(got);
  }

  /** How much there was; null for the end, undefined where there is nothing yet. */
  #take(buffer: Bytes): number | null | undefined {
    const client = this.#client;
    const { early } = client;
    if (early !== undefined && early.length > 0) {
      const length = Math.min(early.length, buffer.length);
      buffer.set(early.subarray(0, length));
      client.skip(length);
      return length;
    }
    if (client.isReadable) {
      const got = client.receive(buffer);
      if (got !== 0) return got;
    }
    return client.isAtEnd ? null : undefined;
  }

  #send(): void {
    const write = this.#write;
    if (write === undefined) return;
    const taken = this.#client.sendFrom(write.bytes);
    if (taken === 0 && write.bytes.length > 0) return;
    this.#write = undefined;
    this.#goOn();
    if (taken === GONE) write.reject(new Error("the client takes nothing more"));
    else write.resolve(taken);
  }
}
