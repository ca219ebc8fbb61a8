/** How fast the sessions of a listener move bytes: each by its own limit, and all of them by that of the listener. */

import type { Direction, Pace, Paces } from "../engine/contract.ts";
import { burstBytes, ByteBucket, type SharedByteBuckets } from "../pool/byte_rate.ts";
import type { Waits } from "./waits.ts";

/** In bytes a second; 0 is no limit. */
export interface RateLimit {
  /** Of each session. */
  readonly in: number;
  readonly out: number;
  /** Of all sessions of the listener, over all workers. */
  readonly totalIn: number;
  readonly totalOut: number;
}

/** What a session that waits holds at most, in each direction. */
export const MOST_BYTES: number = 32 * 1024;

/** Of the limit of a listener one session takes so much at a time, so that its others have their turn soon. */
const TURN_MS = 10;

/** And no less than this, where the rate is small. */
const LEAST_TURN_BYTES = 1024;

/** A flow counts as limited for so long after a datagram of it was dropped. */
const DROPPING_MS = 1_000;

/** What the sessions of a listener in one worker share. */
export interface PacingDeps {
  readonly buckets: SharedByteBuckets;
  readonly waits: Waits;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
}

export class SessionPaces implements Paces {
  readonly in: DirectionPace | undefined;
  readonly out: DirectionPace | undefined;

  constructor(limit: RateLimit, deps: PacingDeps) {
    this.in = paceOf("in", limit.in, limit.totalIn, deps);
    this.out = paceOf("out", limit.out, limit.totalOut, deps);
  }

  /** Whether bytes of it wait. */
  get isWaiting(): boolean {
    return this.in?.isWaiting === true || this.out?.isWaiting === true;
  }

  /** Whether datagrams of it were dropped a moment ago. */
  get isDropping(): boolean {
    return this.in?.isDropping === true || this.out?.isDropping === true;
  }

  /** Its connections are closed: what waits goes on at once, to find that out. */
  release(): void {
    this.in?.release();
    this.out?.release();
  }
}

function paceOf(
  direction: Direction,
  own: number,
  total: number,
  deps: PacingDeps,
): DirectionPace | undefined {
  return own === 0 && total === 0 ? undefined : new DirectionPace(direction, own, total, deps);
}

/** As much as one session receives at once. */
function mostBytes(own: number, total: number): number {
  const ofOwn = own === 0 ? Infinity : burstBytes(own);
  const ofTotal = total === 0
    ? Infinity
    : Math.min(burstBytes(total), Math.max(LEAST_TURN_BYTES, total * TURN_MS / 1_000));
  return Math.floor(Math.min(MOST_BYTES, ofOwn, ofTotal));
}

class DirectionPace implements Pace {
  readonly mostBytes: number;
  readonly #direction: Direction;
  readonly #own: ByteBucket | undefined;
  /** 0 is no limit. */
  readonly #total: number;
  readonly #deps: PacingDeps;
  /** Ends the wait; undefined while nothing waits. */
  #release: (() => void) | undefined;
  /** Datagrams that were above the limit. */
  dropped = 0;
  #droppedMs = -Infinity;

  constructor(direction: Direction, own: number, total: number, deps: PacingDeps) {
    this.mostBytes = mostBytes(own, total);
    this.#direction = direction;
    this.#own = own === 0 ? undefined : new ByteBucket(own);
    this.#total = total;
    this.#deps = deps;
  }

  get isWaiting(): boolean {
    return this.#release !== undefined;
  }

  get isDropping(): boolean {
    return this.dropped > 0 && this.#deps.now() - this.#droppedMs < DROPPING_MS;
  }

  /** The bucket of the listener is asked last: what passes it moves at that time. */
  ask(bytes: number, resume: () => void): boolean {
    const waitMs = this.#own?.take(bytes, this.#deps.now()) ?? 0;
    if (waitMs === 0) return this.#askAll(bytes, resume);
    this.#wait(waitMs, () => this.#askAll(bytes, resume) && resume(), resume);
    return false;
  }

  /** Nothing is taken of either bucket for what does not pass both. */
  passes(bytes: number): boolean {
    const nowMs = this.#deps.now();
    const total = this.#total;
    const isOpen = this.#own?.isOpen(nowMs) !== false &&
      (total === 0 || this.#deps.buckets.takeNow(this.#direction, bytes, total));
    if (isOpen) {
      this.#own?.take(bytes, nowMs);
    } else {
      this.dropped++;
      this.#droppedMs = nowMs;
    }
    return isOpen;
  }

  #askAll(bytes: number, resume: () => void): boolean {
    const { buckets } = this.#deps;
    const [direction, total] = [this.#direction, this.#total];
    const waitMs = total === 0 ? 0 : buckets.take(direction, bytes, total);
    if (waitMs === 0) return true;
    this.#wait(waitMs, resume, () => {
      buckets.giveBack(direction, bytes, total);
      resume();
    });
    return false;
  }

  #wait(ms: number, onOver: () => void, onReleased: () => void): void {
    const cancel = this.#deps.waits.begin(ms, () => {
      this.#release = undefined;
      onOver();
    });
    this.#release = () => {
      this.#release = undefined;
      cancel();
      onReleased();
    };
  }

  release(): void {
    this.#release?.();
  }
}
