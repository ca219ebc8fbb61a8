/**
 * How many bytes may pass in a time: buckets that are filled in again at a steady rate, and hold what comes in within 100 ms.
 *
 * A bucket is one number, the time at which it will be full (the generic cell rate algorithm, ITU-T I.371). Who takes bytes moves
 * that time on, and is told how long to wait until they may pass. So bytes pass in the order in which they were asked for, and in
 * any time no more of them than a full bucket and what has come in since.
 *
 * Datagrams cannot wait: one passes while the bucket is not empty, whatever its size, and is dropped otherwise. So in any time no more bytes
 * of them pass than a full bucket, what has come in since, and one datagram; small and large ones have the same chance.
 */

/** A bucket holds what comes in within so long: short enough for a rate to be right over a second, long enough for a late timer. */
export const BURST_MS = 100;

/** What a bucket holds. */
export function burstBytes(bytesPerSecond: number): number {
  return bytesPerSecond * BURST_MS / 1_000;
}

/** For one session. */
export class ByteBucket {
  readonly #bytesPerSecond: number;
  #fullMs = -Infinity;

  /** A full one. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /**
   * Takes bytes.
   *
   * @param nowMs By a clock that only goes forward.
   * @return How long until they may pass, in ms; 0 is now.
   */
  take(bytes: number, nowMs: number): number {
    this.#fullMs = Math.max(this.#fullMs, nowMs) + bytes * 1_000 / this.#bytesPerSecond;
    return Math.max(0, this.#fullMs - nowMs - BURST_MS);
  }

  /** Whether a datagram may pass now. It is not taken yet. */
  isOpen(nowMs: number): boolean {
    return this.#fullMs - nowMs <= BURST_MS;
  }
}

/** Which of the buckets of a listener, and the latest time that a thread has seen; each is a cell. */
const BUCKETS = { in: 0, out: 1 } as const;
const LATEST = 2;

const BURST_NS = BigInt(BURST_MS) * 1_000_000n;

/** Clocks of threads may differ by so much. */
const MAX_SKEW_NS = 10_000_000n;

/**
 * The two buckets of a listener, which all threads share. They are exact over all of them.
 *
 * Each thread has a clock of its own, which only goes forward, and was set by the clock of the machine when the thread began. Where
 * that was changed between two threads, the one that is behind sets its own to the latest time that any has seen.
 */
export class SharedByteBuckets {
  readonly #cells: BigInt64Array<SharedArrayBuffer>;
  readonly #now: () => number;
  #aheadNs = 0n;

  /**
   * @param cells As {@linkcode Scoreboard.rateCells} gives them; all zero is full.
   * @param now Milliseconds since 1970.
   */
  constructor(
    cells: BigInt64Array<SharedArrayBuffer>,
    now: () => number = () => performance.timeOrigin + performance.now(),
  ) {
    this.#cells = cells;
    this.#now = now;
  }

  /** As {@linkcode ByteBucket.take}. The rate may differ from that of another generation: then each takes its share of the time. */
  take(direction: "in" | "out", bytes: number, bytesPerSecond: number): number {
    const nowNs = this.#nowNs();
    const cell = BUCKETS[direction];
    for (;;) {
      const before = Atomics.load(this.#cells, cell);
      const after = (before > nowNs ? before : nowNs) + costNs(bytes, bytesPerSecond);
      if (Atomics.compareExchange(this.#cells, cell, before, after) !== before) continue;
      return Math.max(0, Number(after - nowNs) / 1e6 - BURST_MS);
    }
  }

  /** Takes the bytes of a datagram if it may pass now, and tells whether. */
  takeNow(direction: "in" | "out", bytes: number, bytesPerSecond: number): boolean {
    const nowNs = this.#nowNs();
    const cell = BUCKETS[direction];
    for (;;) {
      const before = Atomics.load(this.#cells, cell);
      if (before - nowNs > BURST_NS) return false;
      const after = (before > nowNs ? before : nowNs) + costNs(bytes, bytesPerSecond);
      if (Atomics.compareExchange(this.#cells, cell, before, after) === before) return true;
    }
  }

  /** Gives back what was taken and will not pass. */
  giveBack(direction: "in" | "out", bytes: number, bytesPerSecond: number): void {
    Atomics.sub(this.#cells, BUCKETS[direction], costNs(bytes, bytesPerSecond));
  }

  #nowNs(): bigint {
    const nowNs = BigInt(Math.round(this.#now() * 1e3)) * 1_000n + this.#aheadNs;
    const latest = Atomics.load(this.#cells, LATEST);
    if (latest - nowNs > MAX_SKEW_NS) {
      this.#aheadNs += latest - nowNs;
      return latest;
    }
    // Of two that do this at once either may stay: they differ by little.
    if (nowNs > latest) Atomics.compareExchange(this.#cells, LATEST, latest, nowNs);
    return nowNs;
  }
}

function costNs(bytes: number, bytesPerSecond: number): bigint {
  return BigInt(Math.ceil(bytes * 1e9 / bytesPerSecond));
}
