import type { Address } from "../../core/address.ts";
import type { Every } from "../../core/every.ts";
import { type Woken, woken } from "../../core/woken.ts";
import type { AcceptOptions, ClientSocket, DialEvents, Engine, Listener, RelayEvents } from "../contract.ts";
import { DescriptorShortage } from "../descriptor_shortage.ts";
import { Acceptor } from "./acceptor.ts";
import { Buffers } from "./buffers.ts";
import type { EpollClient } from "./client.ts";
import type { Descriptors } from "./descriptors.ts";
import { DialEach } from "./dial_each.ts";
import { DialOne } from "./dial_one.ts";
import { openLibc } from "./libc.ts";
import { Loop } from "./loop.ts";
import { relay } from "./relay.ts";
import type { EpollSocket } from "./socket.ts";
import type { EngineTools } from "./tools.ts";

export interface EpollOptions {
  /** Notes what this thread has open. */
  readonly descriptors: Descriptors;
  /** The descriptor that other threads ring; see bell.ts. */
  readonly bell: number;
  /** The listening descriptors of each listener, in the order in which they are asked for. */
  readonly listening: (addresses: readonly Address[]) => readonly number[];
  /** The loop sleeps no longer at a time; 0 where it shares its thread with others, as in tests. */
  readonly maxSleepMs?: number;
}

/** The engine of a thread that drives its sockets itself, by calls of the system (epoll(7)). Linux only. */
export class EpollEngine implements Engine {
  readonly woken: Woken = woken;
  readonly every: Every;
  readonly #options: EpollOptions;
  readonly #tools: EngineTools;
  readonly #shortage: DescriptorShortage;
  /** Resolves when the loop has ended. */
  readonly ended: Promise<void>;

  /**
   * The loop runs from here on, until {@linkcode close}.
   *
   * @throws {RunError} when there is no C library or no permission for it.
   */
  constructor(options: EpollOptions) {
    const libc = openLibc();
    const loop = new Loop({ libc, ...options });
    this.#options = options;
    this.#tools = { libc, loop, buffers: new Buffers() };
    this.#shortage = new DescriptorShortage((ms, call) => this.later(ms, call));
    this.every = (ms, call) => loop.timers.every(ms, call);
    this.ended = loop.run().finally(() => libc.unload());
  }

  /** Bytes that peers have not taken yet, of all sessions. */
  get heldBytes(): number {
    return this.#tools.buffers.heldBytes;
  }

  listen(addresses: readonly Address[]): Promise<Listener> {
    const sockets = this.#options.listening(addresses);
    const tools = this.#tools;
    const shortage = this.#shortage;
    return Promise.resolve({
      accept: (options: AcceptOptions<ClientSocket>) => new Acceptor(tools, sockets, shortage, options).run(),
      close: () => {},
    });
  }

  dial(addresses: readonly [Address, ...Address[]], on: DialEvents): () => void {
    const dial = addresses.length === 1
      ? new DialOne(this.#tools, addresses[0], on)
      : new DialEach(this.#tools, addresses, on);
    return () => dial.cancel();
  }

  whenDescriptor(call: () => void): () => void {
    return this.#shortage.wait(call);
  }

  later(ms: number, call: () => void): () => void {
    return this.#tools.loop.timers.later(ms, call);
  }

  relay(client: EpollClient, backend: EpollSocket, on: RelayEvents): void {
    relay(client, backend, on);
  }

  /** Ends the loop after its round; connections that are left stay open. */
  close(): void {
    this.#tools.loop.end();
  }
}
