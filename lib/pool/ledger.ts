import type { Row } from "./row.ts";
import { MAX_ROWS, type Scoreboard } from "./scoreboard.ts";

/** The cell behind those of the rows: 1 when the ledger is settled. */
const IS_SETTLED = MAX_ROWS;

/**
 * What one worker has added to the counts of the scoreboard.
 *
 * A count is shared and exact over all workers; the ledger keeps a worker's own part of it in memory of its own, so that
 * the control plane can give it back when the worker dies. A worker that is given up because it hangs may run on for a turn of
 * its event loop. So what a ledger holds is given back once, by the worker or by {@linkcode Ledger.settle}, not by both.
 */
export class Ledger {
  readonly buffer: SharedArrayBuffer;
  readonly #held: Int32Array<SharedArrayBuffer>;
  readonly #scoreboard: Scoreboard;

  /** Attaches to the memory of a ledger; with no memory given, makes a new one that is empty. */
  constructor(scoreboard: Scoreboard, buffer?: SharedArrayBuffer) {
    this.#scoreboard = scoreboard;
    this.buffer = buffer ?? new SharedArrayBuffer((MAX_ROWS + 1) * Int32Array.BYTES_PER_ELEMENT);
    this.#held = new Int32Array(this.buffer);
  }

  /** Whether the control plane has given back everything. From then on the worker counts nothing. */
  get isSettled(): boolean {
    return Atomics.load(this.#held, IS_SETTLED) === 1;
  }

  /** Adds 1 to the count of a row unless it has reached `limit`, over all workers; 0 is no limit. Synchronous. */
  take(row: Row, limit: number): boolean {
    if (!this.#scoreboard.raise(row, limit)) return false;
    Atomics.add(this.#held, row, 1);
    // After the addition: a settlement that has begun by then may have missed it.
    if (this.isSettled) this.giveBack(row);
    return true;
  }

  /** Takes 1 away again, unless it is settled, and gives what the count was before. */
  giveBack(row: Row): number {
    if (Atomics.sub(this.#held, row, 1) > 0 || !this.isSettled) return this.#scoreboard.lower(row, 1);
    Atomics.add(this.#held, row, 1);
    return this.#scoreboard.count(row);
  }

  /** How much of a row's count this worker has. */
  held(row: Row): number {
    return Atomics.load(this.#held, row);
  }

  /**
   * Gives back everything that the worker, which has died or is given up, had.
   *
   * @return How much that was, of each row of which it had some.
   */
  settle(): ReadonlyMap<Row, number> {
    const all = new Map<Row, number>();
    Atomics.store(this.#held, IS_SETTLED, 1);
    for (let i = 0; i < MAX_ROWS; i++) {
      const row = i as Row;
      const held = Atomics.exchange(this.#held, row, 0);
      if (held === 0) continue;
      this.#scoreboard.lower(row, held);
      this.#scoreboard.tellLowered(row, held);
      all.set(row, held);
    }
    return all;
  }
}
