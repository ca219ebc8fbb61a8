import type { Recorder } from "../core/log.ts";

/** A shortage concerns many checks and lasts; it is told once in a while, with their number. */
const TELL_AGAIN_MS = 10_000;

/** Tells of checks that could not be made for want of something of this machine. */
export class ShortageNotes {
  readonly #log: Recorder;
  readonly #now: () => number;
  #checks = 0;
  #nextMs = -Infinity;

  constructor(log: Recorder, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** A check of this backend was not made; `what` was lacking, in plain words. */
  note(pool: string, backend: string, what: string): void {
    this.#checks++;
    if (this.#now() < this.#nextMs) return;
    this.#nextMs = this.#now() + TELL_AGAIN_MS;
    this.#log.warn("checks_short", { pool, backend, reason: what, checks: this.#checks });
    this.#checks = 0;
  }
}
