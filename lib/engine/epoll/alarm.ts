import { CLOCK_MONOTONIC, EPOLLET, EPOLLIN, TFD_CLOEXEC, TFD_NONBLOCK } from "./linux.ts";
import type { EventHandler, Loop } from "./loop.ts";

const NS_PER_MS = 1_000_000;
const MS_PER_S = 1_000;

/** An `itimerspec` (timerfd_settime(2)): an interval, which stays 0, then seconds and nanoseconds until it is due. */
const spec = new BigInt64Array(4);

/**
 * One time at which the loop of a thread is woken, to some microseconds (timerfd_create(2)): the loop itself sleeps for whole
 * milliseconds.
 */
export class Alarm implements EventHandler {
  readonly #loop: Loop;
  readonly #call: () => void;
  readonly #fd: number;

  /**
   * @param call Called whenever it is due.
   * @throws {SystemError} when there is no descriptor left.
   */
  constructor(loop: Loop, call: () => void) {
    this.#loop = loop;
    this.#call = call;
    this.#fd = loop.adopt(loop.libc.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    loop.watch(this.#fd, EPOLLIN | EPOLLET, this);
  }

  /** Is due so many milliseconds from now, and not at the time that was set before. */
  set(ms: number): void {
    const seconds = Math.floor(Math.max(0, ms) / MS_PER_S);
    spec[2] = BigInt(seconds);
    // All zeros would take it back.
    spec[3] = BigInt(Math.max(1, Math.floor((ms - seconds * MS_PER_S) * NS_PER_MS)));
    this.#loop.libc.timerfd_settime(this.#fd, 0, spec, null);
  }

  onEvents(): void {
    this.#call();
  }

  close(): void {
    this.#loop.close(this.#fd);
  }
}
