import type { Row } from "./row.ts";
import { MAX_ROWS, type Scoreboard } from "./scoreboard.ts";

/**
 * What one worker has added to the counts of the scoreboard.
 *
 * A count is shared and exact over all workers; the ledger keeps a worker's own part of it in memory of its own, so that
 * the control plane can give it back when the worker dies.
 */
export class Ledger {
  readonly buffer: SharedArrayBuffer;
  readonly #held: Int32Array<SharedArrayBuffer>;
  readonly #scoreboard: Scoreboard;

  /** Attaches to the memory of a ledger; with no memory given, makes a new one that is empty. */
  constructor(scoreboard: Scoreboard, buffer?: SharedArrayBuffer) {
    this.#scoreboard = scoreboard;
    this.buffer = buffer ?? new SharedArrayBuffer(MAX_ROWS * Int32Array.BYTES_PER_ELEMENT);
    this.#held = new Int32Array(this.buffer);
  }

  /** Adds 1 to the count of a row unless it has reached `limit`, over all workers; 0 is no limit. Synchronous. */
  take(row: Row, limit: number): boolean {
    if (!this.#scoreboard.raise(row, limit)) return false;
    Atomics.add(this.#held, row, 1);
    return true;
  }

  /** Takes 1 away again, and gives what the count was before. */
  giveBack(row: Row): number {
    Atomics.sub(this.#held, row, 1);
    return this.#scoreboard.lower(row, 1);
  }

  /** How much of a row's count this worker has. */
  held(row: Row): number {
    return Atomics.load(this.#held, row);
  }

  /**
   * Gives back everything that the worker, which has died, had.
   *
   * @return How much that was, of each row of which it had some.
   */
  settle(): ReadonlyMap<Row, number> {
    const all = new Map<Row, number>();
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
