/** Signals this close are one: a launcher passes on what the whole process group got from the terminal as well. */
const ONE_SIGNAL_MS = 500;

/** What a Ctrl-C or SIGTERM asks for. */
export type StopRequest =
  /** Stop, and let sessions finish. */
  | "stop"
  /** Do not wait for sessions. */
  | "hurry"
  /** End the program now, whatever it does. */
  | "exit"
  /** The same signal, delivered a second time. */
  | "repeated";

/** Counts requests to stop; each further one is more urgent. */
export class StopRequests {
  readonly #stop = new AbortController();
  readonly #hurry = new AbortController();
  #lastMs = -Infinity;

  /** Aborted by the first request. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Aborted by the second. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }

  /** A request has arrived, at a time of any clock that only goes forward; gives what it means. */
  receive(nowMs: number): StopRequest {
    if (nowMs - this.#lastMs <= ONE_SIGNAL_MS) return "repeated";
    this.#lastMs = nowMs;
    if (!this.#stop.signal.aborted) {
      this.#stop.abort();
      return "stop";
    }
    if (this.#hurry.signal.aborted) return "exit";
    this.#hurry.abort();
    return "hurry";
  }
}
