import { AcceptTrouble } from "../accept_trouble.ts";
import type { AcceptOptions, ClientSocket } from "../contract.ts";
import type { DescriptorShortage } from "../descriptor_shortage.ts";
import { EpollClient } from "./client.ts";
import { addressBytes, addressLength } from "./endpoint_cell.ts";
import { EAGAIN, EINTR, SystemError } from "./errno.ts";
import { EPOLLEXCLUSIVE, EPOLLIN, SOCK_CLOEXEC, SOCK_NONBLOCK } from "./linux.ts";
import type { EventHandler } from "./loop.ts";
import type { EngineTools } from "./tools.ts";

/** Connections that one round accepts of a socket; the others wait for the next, or for another thread. */
const MAX_BATCH = 16;

/** Minimum time between two offers: each wakes every thread. */
const OFFER_AGAIN_MS = 20;

/** A thread that has declined accepts again after this, in case no other can. */
const AHEAD_PAUSE_MS = 50;

/** Errors of a connection that was gone before it was accepted (accept(2)); the next one may be fine. */
const GONE_BEFORE = new Set([
  "ECONNABORTED",
  "EPROTO",
  "ENETDOWN",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "EPERM",
]);

/** Accepts at the sockets of a listener, which other threads accept at too: each connection wakes one of them. */
export class Acceptor {
  readonly #tools: EngineTools;
  readonly #sockets: readonly number[];
  readonly #shortage: DescriptorShortage;
  readonly #options: AcceptOptions<ClientSocket>;
  readonly #stopped = Promise.withResolvers<void>();
  #isWatching = false;
  /** Until then this thread accepts even when it is ahead, in case the others cannot. */
  #nextOfferMs = 0;
  readonly #trouble: AcceptTrouble;

  /** @param sockets Listening descriptors, which stay their owner's. */
  constructor(
    tools: EngineTools,
    sockets: readonly number[],
    shortage: DescriptorShortage,
    options: AcceptOptions<ClientSocket>,
  ) {
    this.#tools = tools;
    this.#sockets = sockets;
    this.#shortage = shortage;
    this.#options = options;
    this.#trouble = new AcceptTrouble(options.onTrouble);
  }

  /** Accepts until it is stopped. */
  run(): Promise<void> {
    const { stop } = this.#options;
    const endOffers = this.#tools.loads.begin(() => this.#takeOffer());
    const end = (): void => {
      endOffers();
      // A connection that has woken this thread wakes no other one.
      if (this.#isWatching) { for (const fd of this.#sockets) this.#acceptSome(fd); }
      this.#pause();
      this.#stopped.resolve();
    };
    stop.addEventListener("abort", end, { once: true });
    if (stop.aborted) end();
    else this.#resume();
    return this.#stopped.promise;
  }

  #resume(): void {
    if (this.#isWatching || this.#options.stop.aborted) return;
    this.#isWatching = true;
    try {
      for (const fd of this.#sockets) {
        const handler: EventHandler = { onEvents: () => this.#acceptSome(fd) };
        this.#tools.loop.watch(fd, EPOLLIN | EPOLLEXCLUSIVE, handler);
      }
    } catch (error) {
      this.#failed(error as SystemError);
    }
  }

  #pause(): void {
    if (!this.#isWatching) return;
    this.#isWatching = false;
    for (const fd of this.#sockets) this.#tools.loop.unwatch(fd);
  }

  #acceptSome(fd: number): void {
    const { limiter, serve } = this.#options;
    for (let accepted = 0; accepted < MAX_BATCH && this.#isWatching; accepted++) {
      if (this.#tools.loads.isAhead && performance.now() >= this.#nextOfferMs) return this.#offer();
      if (this.#shortage.hasWaiters || !limiter.enter()) return this.#waitForRoom();
      const client = this.#accept(fd);
      if (client === undefined) return limiter.leave();
      serve(client, limiter.leave);
    }
  }

  /** Declines: threads with fewer connections accept instead. */
  #offer(): void {
    this.#pause();
    this.#tools.loads.offer();
    this.#nextOfferMs = performance.now() + AHEAD_PAUSE_MS + OFFER_AGAIN_MS;
    this.#tools.loop.timers.later(AHEAD_PAUSE_MS, () => this.#resume());
  }

  /** Accepts what another thread has declined, or this one itself: the system does not wake a thread for it again. */
  #takeOffer(): void {
    if (this.#tools.loads.isAhead || this.#options.stop.aborted) return;
    this.#nextOfferMs = Math.min(this.#nextOfferMs, performance.now() + OFFER_AGAIN_MS);
    this.#resume();
    for (const fd of this.#sockets) this.#acceptSome(fd);
  }

  /** The next connection; undefined when there is none now. */
  #accept(fd: number): EpollClient | undefined {
    const { libc, loop } = this.#tools;
    addressLength[0] = addressBytes.length;
    const accepted = libc.accept4(fd, addressBytes, addressLength, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) {
      const errno = libc.errno();
      if (errno !== EAGAIN && errno !== EINTR) this.#failed(new SystemError(errno));
      return undefined;
    }
    const client = new EpollClient(loop.adopt(accepted), this.#tools);
    client.takePeer();
    try {
      client.watch();
    } catch (error) {
      client.close();
      this.#failed(error as SystemError);
      return undefined;
    }
    this.#trouble.accepted();
    return client;
  }

  #failed(error: SystemError): void {
    if (GONE_BEFORE.has(error.code)) return;
    const pauseMs = this.#trouble.failed(error);
    this.#pause();
    this.#tools.loop.timers.later(pauseMs, () => this.#resume());
  }

  /** Pauses until the limiter has a place, or until sessions that lack a descriptor have had another try. */
  #waitForRoom(): void {
    this.#pause();
    const room = this.#shortage.hasWaiters ? this.#shortage.retryPause() : this.#options.limiter.freed();
    void room.then(() => this.#resume());
  }
}
