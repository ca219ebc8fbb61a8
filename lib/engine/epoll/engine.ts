import type { Address } from "../../core/address.ts";
import type { NextSource } from "../../core/next_source.ts";
import type { Every } from "../../core/every.ts";
import { type Woken, woken } from "../../core/woken.ts";
import type {
  AcceptOptions,
  ClientSocket,
  DialEvents,
  Engine,
  Listener,
  Paces,
  RelayEvents,
} from "../contract.ts";
import type { Confinement, Reach } from "../confinement.ts";
import { DescriptorShortage } from "../descriptor_shortage.ts";
import { ring } from "./bell.ts";
import { Acceptor } from "./acceptor.ts";
import { Alarm } from "./alarm.ts";
import { Buffers } from "./buffers.ts";
import type { EpollClient } from "./client.ts";
import { confine } from "./confine/confine.ts";
import { Datagrams } from "./datagrams/datagrams.ts";
import { Flow } from "./datagrams/flow.ts";
import { FlowListener } from "./datagrams/flow_listener.ts";
import { relayFlow } from "./datagrams/flow_relay.ts";
import type { UdpSocket } from "./datagrams/udp_socket.ts";
import { Descriptors } from "./descriptors.ts";
import { DialEach } from "./dial_each.ts";
import { DialOne } from "./dial_one.ts";
import { type Libc, openLibc } from "./libc.ts";
import { Loads } from "./loads.ts";
import type { ThreadShare } from "./thread_share.ts";
import { Loop } from "./loop.ts";
import { SYS_GETTID } from "./linux.ts";
import { relay } from "./relay.ts";
import { type EpollSocket, noTls } from "./socket.ts";
import type { EngineTools } from "./tools.ts";

export interface EpollOptions extends ThreadShare {
  /** Whether sockets that were dialled know their local address when they are closed; it takes a system call each. */
  readonly remembersLocal?: boolean;
  /** The loop sleeps no longer at a time; 0 where it shares its thread with others, as in tests. */
  readonly maxSleepMs?: number;
  /** A test may put another one in its place. */
  readonly libc?: Libc;
}

/** A worker that takes long to end is ended, with all that it still delivers. */
const LEAVING_PATIENCE_MS = 1_000;

/** Between two looks whether the last connections have gone. */
const LEAVING_LOOK_MS = 5;

/** The engine of a thread that drives its sockets itself, by calls of the system (epoll(7)). Linux only. */
export class EpollEngine implements Engine {
  readonly woken: Woken = woken;
  readonly every: Every;
  readonly #descriptors: Descriptors;
  readonly #bell: number;
  readonly #loads: Loads;
  readonly #tools: EngineTools;
  readonly #shortage: DescriptorShortage;
  /** Resolves when the loop has ended. */
  readonly #ended: Promise<void>;

  /**
   * The loop runs from here on, until {@linkcode close}.
   *
   * @throws {RunError} when there is no C library or no permission for it.
   */
  constructor(options: EpollOptions) {
    const libc = options.libc ?? openLibc();
    // Before anything is open, so that it is known when nothing of it can be used any more.
    Atomics.store(new Int32Array(options.thread), 0, libc.gettid(BigInt(SYS_GETTID)));
    this.#descriptors = new Descriptors(options.descriptors);
    this.#loads = new Loads(options.loads, options.place);
    const loop = new Loop({
      ...options,
      libc,
      descriptors: this.#descriptors,
      onRung: () => this.#loads.look(),
    });
    this.#bell = options.bell;
    this.#tools = {
      libc,
      loop,
      buffers: new Buffers(),
      datagrams: new Datagrams(libc, loop),
      loads: this.#loads,
      departures: new Set(),
      remembersLocal: options.remembersLocal ?? false,
    };
    this.#loads.ring = () => this.ring();
    this.#loads.soon = (call) => loop.soon(call);
    this.#shortage = new DescriptorShortage((ms, call) => this.later(ms, call));
    this.every = (ms, call) => loop.timers.every(ms, call);
    this.#ended = loop.run().finally(() => libc.unload());
  }

  /** Bytes that peers have not taken yet, of all sessions. */
  get heldBytes(): number {
    return this.#tools.buffers.heldBytes;
  }

  // deno-lint-ignore require-await -- what it throws is a rejection
  async listen(
    [address]: readonly Address[],
    _backlog: number,
    sockets: readonly number[] = [],
  ): Promise<Listener> {
    const tools = this.#tools;
    const shortage = this.#shortage;
    if (address?.transport === "udp") return new FlowListener(tools, sockets);
    return {
      accept: (options: AcceptOptions<ClientSocket>) => new Acceptor(tools, sockets, shortage, options).run(),
      close: () => {},
    };
  }

  dial(addresses: readonly [Address, ...Address[]], on: DialEvents, source?: NextSource): () => void {
    const dial = addresses.length === 1
      ? new DialOne(this.#tools, addresses[0], on, source)
      : new DialEach(this.#tools, addresses, on, source);
    return () => dial.cancel();
  }

  whenDescriptor(call: () => void): () => void {
    return this.#shortage.wait(call);
  }

  later(ms: number, call: () => void): () => void {
    return this.#tools.loop.timers.later(ms, call);
  }

  /**
   * A timer more exact than {@linkcode later}. The caller closes it.
   *
   * @throws {SystemError} when there is no descriptor left.
   */
  alarm(call: () => void): Alarm {
    return new Alarm(this.#tools.loop, call);
  }

  /** Calls when what goes on now is over. */
  soon(call: () => void): void {
    this.#tools.loop.soon(call);
  }

  relay(client: EpollClient | Flow, backend: EpollSocket | UdpSocket, on: RelayEvents, paces?: Paces): void {
    if (client instanceof Flow) relayFlow(client, backend as UdpSocket, on, paces);
    else relay(client, backend as EpollSocket, on, paces);
  }

  tlsServer(): never {
    throw noTls();
  }

  tlsClient(): never {
    throw noTls();
  }

  /** Gives up all that this thread does not need, for good. Call it once, when it listens. */
  confine(reach: Reach): Confinement {
    return confine(this.#tools.libc, reach);
  }

  /** Wakes all threads whose loops watch the same bell. */
  ring(): void {
    ring(this.#tools.libc, this.#bell);
  }

  async close(): Promise<void> {
    const hurry = this.later(LEAVING_PATIENCE_MS, () => {
      for (const departure of this.#tools.departures) departure.end();
    });
    // What is left is the descriptor of the loop itself.
    while (this.#descriptors.size > 1) {
      // deno-lint-ignore no-await-in-loop -- until they have gone
      await new Promise<void>((resolve) => this.later(LEAVING_LOOK_MS, resolve));
    }
    hurry();
    this.#tools.loop.end();
    await this.#ended;
  }
}
