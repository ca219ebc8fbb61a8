// deno-lint-ignore-file no-await-in-loop -- the rounds of a loop follow one another

/**
 * The event loop of one thread: waits for sockets (epoll(7)), calls their owners, and runs the event loop of the runtime in between,
 * for messages and promises.
 *
 * The thread sleeps in `epoll_wait`, where no message reaches it. Another thread that has something to say rings the bell
 * (bell.ts); besides, the runtime's loop runs every {@linkcode TURN_MS}.
 */

import { setImmediate } from "node:timers";
import type { Descriptors } from "./descriptors.ts";
import { EINTR, SystemError } from "./errno.ts";
import type { Libc } from "./libc.ts";
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLET,
  EPOLLIN,
  EVENT_DATA,
  EVENT_WORDS,
} from "./linux.ts";
import { Timers } from "./timers.ts";

/** Events of one round; more come in the next. */
const MAX_EVENTS = 256;

/** The event loop of the runtime runs at least this often, even without a wake-up. */
const TURN_MS = 50;

/**
 * As long as it is busy, the scheduler of the runtime looks only at every 31st step whether another thread has woken one of its tasks
 * (`global_queue_interval`, https://docs.rs/tokio/1/tokio/runtime/struct.Builder.html). So many steps take some 40 µs.
 */
const TURN_STEPS = 32;

/** Runs the event loop of the runtime: messages of other threads, promises, timers. */
async function runtimeTurn(): Promise<void> {
  for (let step = 0; step < TURN_STEPS; step++) await runtimeStep();
}

function runtimeStep(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Handles the events of a descriptor. Never throws. */
export interface EventHandler {
  onEvents(events: number): void;
}

export interface LoopOptions {
  readonly libc: Libc;
  readonly descriptors: Descriptors;
  /** Rung by other threads; the caller closes it. */
  readonly bell: number;
  /** Called whenever it has been rung. */
  readonly onRung?: () => void;
  /** The loop sleeps no longer at a time; 0 for one that shares its thread with others, as in tests. */
  readonly maxSleepMs?: number;
}

export class Loop {
  readonly libc: Libc;
  readonly timers = new Timers();
  readonly #descriptors: Descriptors;
  readonly #maxSleepMs: number;
  readonly #epoll: number;
  readonly #events = new Int32Array(new ArrayBuffer(MAX_EVENTS * EVENT_WORDS * 4));
  readonly #change = new Int32Array(new ArrayBuffer(EVENT_WORDS * 4));
  /** By descriptor. */
  readonly #handlers: (EventHandler | undefined)[] = [];
  /** Counts the uses of each descriptor: an event may be for one that was closed, and opened again, in the same round. */
  readonly #lives: number[] = [];
  /** Calls for the next round. */
  #unfinished: (() => void)[] = [];
  #isRung = false;
  #hasPromises = false;
  #isClosed = false;
  #lastTurnMs = 0;

  constructor({ libc, descriptors, bell, onRung = () => {}, maxSleepMs = TURN_MS }: LoopOptions) {
    this.libc = libc;
    this.#descriptors = descriptors;
    this.#maxSleepMs = maxSleepMs;
    this.#epoll = this.adopt(libc.epoll_create1(EPOLL_CLOEXEC));
    const onEvents = (): void => {
      this.#isRung = true;
      onRung();
    };
    this.watch(bell, EPOLLIN | EPOLLET, { onEvents });
  }

  /**
   * Notes a descriptor that a call has given.
   *
   * @throws {SystemError} when the call has failed.
   */
  adopt(fd: number): number {
    if (fd < 0) throw new SystemError(this.libc.errno());
    this.#descriptors.opened(fd);
    return fd;
  }

  /**
   * Tells of events from now on. {@linkcode close} ends that, as {@linkcode unwatch} does.
   *
   * @throws {SystemError} when the system has no room for one more.
   */
  watch(fd: number, events: number, handler: EventHandler): void {
    while (this.#handlers.length <= fd) {
      this.#handlers.push(undefined);
      this.#lives.push(0);
    }
    const change = this.#change;
    change[0] = events;
    change[EVENT_DATA] = fd;
    change[EVENT_DATA + 1] = this.#lives[fd] as number;
    if (this.libc.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, change) < 0) {
      throw new SystemError(this.libc.errno());
    }
    this.#handlers[fd] = handler;
  }

  /** For a descriptor that stays open. */
  unwatch(fd: number): void {
    this.#forget(fd);
    this.libc.epoll_ctl(this.#epoll, EPOLL_CTL_DEL, fd, this.#change);
  }

  /** Closes a descriptor of this thread. */
  close(fd: number): void {
    this.#forget(fd);
    this.#descriptors.closing(fd);
    this.libc.close(fd);
  }

  /** Calls in the next round, which begins without sleeping. */
  soon(call: () => void): void {
    this.#unfinished.push(call);
  }

  /** Lets promises that are resolved in this round go on after it, however many follow one another. */
  letPromisesGoOn(): void {
    this.#hasPromises = true;
  }

  /** Runs until {@linkcode end}. */
  async run(): Promise<void> {
    while (!this.#isClosed) {
      this.#round();
      if (this.#isRung || performance.now() - this.#lastTurnMs >= this.#maxSleepMs) {
        this.#isRung = false;
        await runtimeTurn();
        this.#lastTurnMs = performance.now();
      } else if (this.#hasPromises) {
        this.#hasPromises = false;
        await runtimeStep();
      } else {
        // Promises that were resolved in this round.
        await undefined;
      }
    }
    this.close(this.#epoll);
  }

  /** Ends after the round. */
  end(): void {
    this.#isClosed = true;
  }

  #round(): void {
    const events = this.#events;
    const count = this.libc.epoll_wait(this.#epoll, events, MAX_EVENTS, this.#sleepMs());
    if (count < 0) {
      const errno = this.libc.errno();
      if (errno !== EINTR) throw new SystemError(errno);
    }
    for (let i = 0, at = 0; i < count; i++, at += EVENT_WORDS) {
      const fd = events[at + EVENT_DATA] as number;
      if (this.#lives[fd] === events[at + EVENT_DATA + 1]) this.#handlers[fd]?.onEvents(events[at] as number);
    }
    if (this.#unfinished.length > 0) {
      const calls = this.#unfinished;
      this.#unfinished = [];
      for (const call of calls) call();
    }
    this.timers.run();
  }

  #sleepMs(): number {
    if (this.#unfinished.length > 0) return 0;
    return Math.min(this.#maxSleepMs, this.timers.nextMs());
  }

  #forget(fd: number): void {
    // No number as high was ever watched. A life noted here would leave numbers below it without one, and their events unheard.
    if (fd >= this.#lives.length) return;
    this.#handlers[fd] = undefined;
    this.#lives[fd] = ((this.#lives[fd] as number) + 1) | 0;
  }
}
