/**
 * Spreads the starts of checks, so that thousands of backends are not dialled in one moment, and no more checks are begun than this
 * thread can carry: otherwise all of them would run out of time, and healthy backends would go down.
 *
 * Only starts are bounded, not checks under way: backends that hang would hold the places of all others for as long as their
 * timeout. When starts have to wait, pools take turns, so that a large one does not hold up a small one.
 */

const SLOT_MS = 10;

/** Starts in one slot, at most: 6,400 a second. */
const MAX_STARTS = 64;

/** At least: 800 a second. */
const MIN_STARTS = 8;

/** A slot that begins so much too late shows that this thread has enough to do. */
const BUSY_MS = 10;

export class StartPace {
  readonly #now: () => number;
  /** For the slots to come. Grows slowly and is halved when it was too much, as the window of TCP (RFC 5681, 3.1). */
  #startsInSlot = MAX_STARTS / 4;
  #slotMs = -Infinity;
  #left = 0;
  /** When the next slot begins, if something waits for it. */
  #dueMs = 0;
  /** By pool; the one whose turn is next comes first. */
  readonly #waiting = new Map<number, (() => void)[]>();

  /** @param now Milliseconds that only go forward. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Resolves when the next check of a pool may start, in the order in which the pool has asked. */
  next(pool: number): Promise<void> {
    const isFirst = this.#waiting.size === 0;
    if (isFirst && this.#now() - this.#slotMs >= SLOT_MS) this.#openSlot();
    if (isFirst && this.#left > 0) {
      this.#left--;
      return Promise.resolve();
    }
    if (isFirst) this.#planSlot();
    return new Promise((resolve) => {
      const starts = this.#waiting.get(pool);
      if (starts === undefined) this.#waiting.set(pool, [resolve]);
      else starts.push(resolve);
    });
  }

  #openSlot(): void {
    this.#slotMs = this.#now();
    this.#left = this.#startsInSlot;
  }

  #planSlot(): void {
    this.#dueMs = this.#now() + SLOT_MS;
    setTimeout(() => this.#onSlot(), SLOT_MS);
  }

  #onSlot(): void {
    this.#startsInSlot = this.#now() - this.#dueMs > BUSY_MS
      ? Math.max(MIN_STARTS, this.#startsInSlot >> 1)
      : Math.min(MAX_STARTS, this.#startsInSlot + 2);
    this.#openSlot();
    // What is put back comes once more, behind the others.
    for (const [pool, starts] of this.#waiting) {
      if (this.#left === 0) break;
      this.#left--;
      starts.shift()?.();
      this.#waiting.delete(pool);
      if (starts.length > 0) this.#waiting.set(pool, starts);
    }
    if (this.#waiting.size > 0) this.#planSlot();
  }
}
