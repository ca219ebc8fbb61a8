/** The listening sockets of workers whose engine is epoll: opened once in the process, and kept from generation to generation. */

import { formatAddress, type IpAddress } from "../core/address.ts";
import { type ListenerOptions, socketsOf } from "../dataplane/messages.ts";
import type { HoldOptions, PortHold } from "./port_hold.ts";
import type { GenerationSockets } from "./generation_sockets.ts";
import { isInPlace, type OpenSocket, type SocketBook } from "./socket_book.ts";

/** Those of one generation. */
export class EpollSockets implements GenerationSockets {
  readonly #book: SocketBook;
  readonly #listeners: readonly ListenerOptions[];
  readonly #used = new Map<string, OpenSocket>();

  constructor(book: SocketBook, listeners: readonly ListenerOptions[]) {
    this.#book = book;
    this.#listeners = listeners;
  }

  /** Opens what is not open yet. */
  async prepare(): Promise<void> {
    for (const listener of this.#listeners) {
      for (const address of socketsOf(listener)) {
        // deno-lint-ignore no-await-in-loop -- one after the other, so that a fault leaves none behind
        this.#used.set(formatAddress(address), await this.#book.use(address, listener));
      }
    }
  }

  forWorker(listener: ListenerOptions, index: number, workers: number): ListenerOptions {
    return {
      ...listener,
      sockets: this.#socketsOf(listener).flatMap((it) => this.#book.descriptors(it, index, workers)),
    };
  }

  #socketsOf(listener: ListenerOptions): OpenSocket[] {
    return socketsOf(listener).map((address) => {
      const socket = this.#used.get(formatAddress(address));
      if (socket === undefined) throw new TypeError(`Cannot use ${formatAddress(address)}: it is not open`);
      return socket;
    });
  }

  /**
   * They are at their paths from the beginning. A socket that was open before has the keepalive, and the mode and the group, of that
   * time.
   */
  async takeOverPaths(): Promise<void> {
    const sockets = this.#listeners.flatMap((listener) => {
      return this.#socketsOf(listener).map((socket) => ({ socket, listener }));
    });
    await Promise.all(sockets.map(async ({ socket, listener: { keepalive, file } }) => {
      this.#book.keepAlive(socket, keepalive);
      // A worker may be restarted when the file is gone.
      if (await isInPlace(socket)) this.#book.setFile(socket, file);
    }));
  }

  async areInPlace(): Promise<boolean> {
    return (await Promise.all([...this.#used.values()].map(isInPlace))).every((it) => it);
  }

  async withdraw(): Promise<void> {
    await this.remove();
  }

  async remove(): Promise<void> {
    const used = [...this.#used.values()];
    this.#used.clear();
    await Promise.all(used.map((socket) => this.#book.release(socket)));
  }
}

/** Ports that the system chose. Each is open from then on, and the generation uses the same socket. */
export class HeldByBook implements PortHold {
  readonly #book: SocketBook;
  readonly #held: OpenSocket[] = [];

  constructor(book: SocketBook) {
    this.#book = book;
  }

  async hold(address: IpAddress, options: HoldOptions): Promise<void> {
    this.#held.push(await this.#book.use(address, options));
  }

  async release(): Promise<void> {
    await Promise.all(this.#held.splice(0).map((socket) => this.#book.release(socket)));
  }
}
