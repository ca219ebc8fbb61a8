import type { Timers } from "./timers.ts";

/** When it is looked whether all was delivered: soon at first, then less often. */
const FIRST_LOOK_MS = 1;
const MAX_LOOK_MS = 100;

/** A peer that takes nothing more for so long gets its reset all the same. */
const PATIENCE_MS = 5_000;

/** It takes no longer in all: by then the session is over, and its place given to another. */
const MAX_MS = 30_000;

/** A connection that has left its session. */
export interface Departing {
  /** What the peer did not take yet. */
  readonly held: Uint8Array | undefined;
  /** The number of bytes that the peer's system has not acknowledged. */
  readonly unacknowledged: number;
  readonly hasPeerGone: boolean;
  /** Sends what is held; negative when that cannot be done any more. */
  flush(): number;
  /** Resets it at once. */
  abort(): void;
}

/**
 * Delays a reset until the peer's system has acknowledged all that was sent: a reset makes the system drop what it has not delivered
 * yet.
 */
export class Departure {
  readonly #socket: Departing;
  readonly #timers: Timers;
  readonly #all: Set<Departure>;
  /** What the peer had not taken when it was looked at last, and until when it has time for the rest. */
  #left = Infinity;
  #untilMs = 0;
  readonly #lastMs = performance.now() + MAX_MS;
  #lookMs = FIRST_LOOK_MS;
  #isOver = false;

  /**
   * Owns the socket, and resets it.
   *
   * @param all Those of the thread that are under way; this one is among them until its end.
   */
  constructor(socket: Departing, timers: Timers, all: Set<Departure>) {
    this.#socket = socket;
    this.#timers = timers;
    this.#all = all;
    all.add(this);
    this.#lookLater();
  }

  onReady(_socket: unknown, isWritable: boolean): void {
    const { hasPeerGone, held } = this.#socket;
    if (hasPeerGone || (isWritable && held !== undefined && this.#socket.flush() < 0)) this.end();
  }

  onClosed(): void {}

  #lookLater(): void {
    this.#timers.later(this.#lookMs, () => this.#look());
    this.#lookMs = Math.min(this.#lookMs * 2, MAX_LOOK_MS);
  }

  #look(): void {
    if (this.#isOver) return;
    const left = (this.#socket.held?.length ?? 0) + this.#socket.unacknowledged;
    const nowMs = performance.now();
    if (left < this.#left) this.#untilMs = Math.min(nowMs + PATIENCE_MS, this.#lastMs);
    this.#left = left;
    if (left === 0 || nowMs >= this.#untilMs) this.end();
    else this.#lookLater();
  }

  /** Resets it now. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#all.delete(this);
    this.#socket.abort();
  }
}
