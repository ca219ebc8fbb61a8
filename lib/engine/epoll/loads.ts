/**
 * How many connections each thread of a process has, so that none takes many more than its share.
 *
 * The system wakes the thread that went to sleep last, again and again: one of them would have all of a few long connections, and
 * the others nothing to do. So a thread that is ahead offers the next connection to the others.
 */

/** Threads that may accept at once: two generations of as many workers as there may be. */
const MAX_THREADS = 512;

/** How many places there have been, and how many offers; then a cell for each place. */
const PLACES = 0;
const OFFERS = 1;
const FIRST_PLACE = 2;

/** A thread may be so far ahead of the one with the fewest, and by a part of those. */
const AHEAD = 4;
const AHEAD_PART = 1 / 2;

/** The cell of a thread that does not accept. */
const NOT_ACCEPTING = -1;

/** The memory that the threads share. */
export function makeLoads(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer((FIRST_PLACE + MAX_THREADS) * Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(buffer).fill(NOT_ACCEPTING, FIRST_PLACE);
  return buffer;
}

/** Assigns a free place to a thread. */
export function takePlace(buffer: SharedArrayBuffer, taken: ReadonlySet<number>): number {
  let place = 0;
  while (taken.has(place)) place++;
  const cells = new Int32Array(buffer);
  cells[PLACES] = Math.max(cells[PLACES] ?? 0, place + 1);
  return place;
}

/** The thread at this place has ended. */
export function leavePlace(buffer: SharedArrayBuffer, place: number): void {
  new Int32Array(buffer)[FIRST_PLACE + place] = NOT_ACCEPTING;
}

/** The loads, as one thread sees them. A value that is a moment old will do, so that no access but the offers' is atomic. */
export class Loads {
  readonly #cells: Int32Array;
  readonly #own: number;
  /** Connections that this thread has. */
  #count = 0;
  /** Listeners at which it accepts. */
  #accepting = 0;
  #offersSeen: number;
  /** Whether it has left a connection to others, and is still ahead. */
  #hasOffered = false;
  readonly #onOffer = new Set<() => void>();
  /** Wakes the other threads. */
  ring: () => void = () => {};
  /** Calls when what goes on now is over: a connection is removed in the midst of the end of its session. */
  soon: (call: () => void) => void = (call) => call();

  constructor(buffer: SharedArrayBuffer, place: number) {
    this.#cells = new Int32Array(buffer);
    this.#own = FIRST_PLACE + place;
    this.#offersSeen = Atomics.load(this.#cells, OFFERS);
  }

  /**
   * This thread accepts at one more listener.
   *
   * @param onOffer Called when another thread leaves a connection to others, and when this one is ahead no more.
   * @return Takes that back.
   */
  begin(onOffer: () => void): () => void {
    this.#accepting++;
    this.#onOffer.add(onOffer);
    this.#publish();
    return () => {
      this.#accepting--;
      this.#onOffer.delete(onOffer);
      this.#publish();
    };
  }

  add(): void {
    this.#count++;
    this.#publish();
  }

  remove(): void {
    this.#count--;
    this.#publish();
    if (!this.#hasOffered || this.isAhead) return;
    this.#hasOffered = false;
    this.soon(() => this.#acceptAgain());
  }

  /** Whether another thread should accept rather than this one. */
  get isAhead(): boolean {
    let least = this.#count;
    const end = FIRST_PLACE + (this.#cells[PLACES] ?? 0);
    for (let at = FIRST_PLACE; at < end; at++) {
      const load = this.#cells[at] as number;
      if (load !== NOT_ACCEPTING && load < least) least = load;
    }
    return this.#count > least + AHEAD + least * AHEAD_PART;
  }

  /** Leaves the next connection to others. */
  offer(): void {
    this.#hasOffered = true;
    this.#offersSeen = Atomics.add(this.#cells, OFFERS, 1) + 1;
    this.ring();
  }

  /** Looks whether there is an offer. */
  look(): void {
    const offers = Atomics.load(this.#cells, OFFERS);
    if (offers === this.#offersSeen) return;
    this.#offersSeen = offers;
    this.#acceptAgain();
  }

  #acceptAgain(): void {
    this.#hasOffered = false;
    for (const call of this.#onOffer) call();
  }

  #publish(): void {
    this.#cells[this.#own] = this.#accepting > 0 ? this.#count : NOT_ACCEPTING;
  }
}
