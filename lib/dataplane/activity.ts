import type { Direction } from "../engine/contract.ts";
import type { SessionTimes } from "./timeouts.ts";

/** As much fits into the smallest window that systems offer by default, so it does not wait for a client that reads slowly. */
const SMALL_ANSWER_BYTES = 64 * 1024;

/** What was sent so long ago was read, or is not wanted. */
const DELIVERED_AFTER_MS = 30_000;

/** What moves in a session, and when it last did. */
export class Activity implements SessionTimes {
  readonly startedMs: number;
  /** Relayed so far. */
  bytesIn = 0;
  bytesOut = 0;
  /** Of these, what has been accounted for. */
  countedIn = 0;
  countedOut = 0;
  pendingWrites = 0;
  isDirectionEnded = false;
  isBackendGone = false;
  /** Never so early that a timeout would come too soon. */
  lastActiveMs = Infinity;
  /** Whether bytes have moved since the last tick, which takes note of it. */
  #hasMoved = false;
  /** When the client was told that nothing more comes; Infinity before that, and when it may have much to read yet. */
  #clientToldMs = Infinity;
  /** What had been passed on to the client when it was looked at last, and since when it is no more than that. */
  #bytesOutAtTick = 0;
  #lastOutMs: number;
  /** When to look at what peers have not taken yet; Infinity when there is nothing to look for. */
  nextLookMs = Infinity;
  /** Whether a tick has passed in which nothing moved. */
  #hasRested = true;
  /** What that was the last time, in bytes. */
  #unacknowledged = 0;

  constructor(nowMs: number) {
    this.startedMs = this.#lastOutMs = nowMs;
  }

  moved(direction: Direction, bytes: number): void {
    this.#hasMoved = true;
    if (direction === "in") this.bytesIn += bytes;
    else this.bytesOut += bytes;
  }

  /** That an end was passed on counts as a byte that moved. */
  directionEnded(direction: Direction, nowMs: number): void {
    this.isDirectionEnded = true;
    this.#hasMoved = true;
    if (direction === "out") this.clientTold(nowMs);
  }

  /**
   * All that the backend had sent was passed on, and its end. The engine does not tell how much of it the system still
   * holds for a client that reads slowly: little in all, or nothing recently, has been delivered by now.
   */
  clientTold(nowMs: number): void {
    const isDelivered = this.bytesOut <= SMALL_ANSWER_BYTES || nowMs - this.#lastOutMs >= DELIVERED_AFTER_MS;
    this.#clientToldMs = isDelivered ? nowMs : Infinity;
  }

  onTick(nowMs: number): void {
    if (this.#hasMoved) {
      this.#hasMoved = false;
      this.lastActiveMs = nowMs;
      // It is looked at as soon as nothing moves any more.
      this.nextLookMs = Infinity;
      this.#hasRested = false;
    } else if (!this.#hasRested) {
      this.#hasRested = true;
      this.nextLookMs = nowMs;
    }
    if (this.bytesOut !== this.#bytesOutAtTick) {
      this.#bytesOutAtTick = this.bytesOut;
      this.#lastOutMs = nowMs;
    }
  }

  /**
   * Notes what peers have not taken yet of what was sent to them: less than before is a sign of life. It is looked at four times
   * within the idle timeout, so that a session is ended a quarter of it late at most.
   */
  lookedAt(unacknowledged: number, nowMs: number, idleTimeoutMs: number): void {
    if (unacknowledged < this.#unacknowledged) this.lastActiveMs = nowMs;
    this.#unacknowledged = unacknowledged;
    this.nextLookMs = unacknowledged === 0 || idleTimeoutMs === 0 ? Infinity : nowMs + idleTimeoutMs / 4;
  }

  get halfClosed(): boolean {
    return this.isDirectionEnded || this.isBackendGone;
  }

  get leftOverMs(): number {
    return this.isBackendGone ? this.#clientToldMs : Infinity;
  }
}
