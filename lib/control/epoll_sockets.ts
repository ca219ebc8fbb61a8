/** The listening sockets of workers whose engine is epoll: opened once in the process, and kept from generation to generation. */

import { type Address, formatAddress, type IpAddress } from "../core/address.ts";
import { setFile } from "./unix_sockets.ts";
import { isAnswered, removeFile, removeSocketFile } from "../core/listening.ts";
import { type ListenerOptions, socketsOf } from "../dataplane/messages.ts";
import type { Keepalive } from "../engine/contract.ts";
import type { EpollHost } from "../engine/epoll/host.ts";
import type { ListeningOptions } from "../engine/epoll/listening.ts";
import { describeListenError } from "../engine/listen_error.ts";
import type { HoldOptions, PortHold } from "./port_hold.ts";
import type { GenerationSockets } from "./generation_sockets.ts";

interface OpenSocket {
  readonly fd: number;
  /** Generations that listen on it. */
  users: number;
}

/** All listening sockets of a balancer, by address. */
export class SocketBook {
  readonly #host: Pick<EpollHost, "listen" | "keepAlive" | "closeListening">;
  readonly #open = new Map<string, OpenSocket>();

  constructor(host: Pick<EpollHost, "listen" | "keepAlive" | "closeListening">) {
    this.#host = host;
  }

  /**
   * Gives the descriptor of a socket, which may be open already. Each use is to be released.
   *
   * @throws {RunError} when it cannot be listened on.
   */
  async use(address: Address, options: ListeningOptions): Promise<number> {
    const before = this.#open.get(formatAddress(address));
    if (before !== undefined) {
      before.users++;
      return before.fd;
    }
    const fd = await this.#listen(address, options);
    this.#open.set(formatAddress(address), { fd, users: 1 });
    return fd;
  }

  /** Those who connect from now on have this. */
  keepAlive(address: Address, keepalive: Keepalive): void {
    const socket = this.#open.get(formatAddress(address));
    if (socket !== undefined && address.transport === "tcp") this.#host.keepAlive(socket.fd, keepalive);
  }

  /** Ends one use. The last one closes the socket, and removes the file of a Unix socket. */
  async release(address: Address): Promise<void> {
    const socket = this.#open.get(formatAddress(address));
    if (socket === undefined || --socket.users > 0) return;
    this.#open.delete(formatAddress(address));
    this.#host.closeListening(socket.fd);
    await removeSocketFile(address);
  }

  async #listen(address: Address, options: ListeningOptions): Promise<number> {
    try {
      if (address.transport === "unix" && !await isAnswered(address.path)) await removeFile(address.path);
      return this.#host.listen(address, options);
    } catch (error) {
      throw describeListenError(address, error);
    }
  }
}

/** Those of one generation. */
export class EpollSockets implements GenerationSockets {
  readonly #book: SocketBook;
  readonly #listeners: readonly ListenerOptions[];
  readonly #used: Address[] = [];
  readonly #descriptors = new Map<string, readonly number[]>();

  constructor(book: SocketBook, listeners: readonly ListenerOptions[]) {
    this.#book = book;
    this.#listeners = listeners;
  }

  /** Opens what is not open yet. */
  async prepare(): Promise<void> {
    for (const listener of this.#listeners) {
      const sockets: number[] = [];
      for (const address of socketsOf(listener)) {
        // deno-lint-ignore no-await-in-loop -- one after the other, so that a fault leaves none behind
        sockets.push(await this.#book.use(address, listener));
        this.#used.push(address);
      }
      this.#descriptors.set(listener.name, sockets);
    }
  }

  forWorker(listener: ListenerOptions): ListenerOptions {
    return { ...listener, sockets: this.#descriptors.get(listener.name) ?? [] };
  }

  /**
   * They are at their paths from the beginning. A socket that was open before has the keepalive, and the mode and the group, of that
   * time.
   */
  takeOverPaths(): Promise<void> {
    for (const listener of this.#listeners) {
      for (const address of socketsOf(listener)) this.#book.keepAlive(address, listener.keepalive);
      const { address, file } = listener;
      if (address.transport === "unix" && file !== undefined) setFile(address, address.path, file);
    }
    return Promise.resolve();
  }

  async withdraw(): Promise<void> {
    await this.remove();
  }

  async remove(): Promise<void> {
    await Promise.all(this.#used.splice(0).map((address) => this.#book.release(address)));
  }
}

/** Ports that the system chose. Each is open from then on, and the generation uses the same socket. */
export class HeldByBook implements PortHold {
  readonly #book: SocketBook;
  readonly #held: IpAddress[] = [];

  constructor(book: SocketBook) {
    this.#book = book;
  }

  async hold(address: IpAddress, options: HoldOptions): Promise<void> {
    await this.#book.use(address, options);
    this.#held.push(address);
  }

  async release(): Promise<void> {
    await Promise.all(this.#held.splice(0).map((address) => this.#book.release(address)));
  }
}
