/** Who has which rows of the scoreboard. What keeps its name keeps its rows, and so its live facts, through reloads. */

import { RunError } from "../core/errors.ts";
import { MAX_ROWS, type Scoreboard } from "../pool/scoreboard.ts";

interface Rows {
  readonly first: number;
  readonly count: number;
  /** Generations that use them. */
  users: number;
}

/** Something with rows: `listener web`, `backend web 127.0.0.1:8001`. */
export type RowKey = string;

export class RowBook {
  readonly #scoreboard: Scoreboard;
  readonly #rows = new Map<RowKey, Rows>();
  /** The first rows of what was given back, by how many they are. */
  readonly #free = new Map<number, number[]>();
  #next = 0;

  constructor(scoreboard: Scoreboard) {
    this.#scoreboard = scoreboard;
  }

  /**
   * The first of the rows of a thing, which are new and zero when nobody uses them yet; one more uses them now.
   *
   * @throws {RunError} when there are no more rows.
   */
  use(key: RowKey, count = 1): number {
    let rows = this.#rows.get(key);
    if (rows === undefined) {
      rows = { first: this.#take(count), count, users: 0 };
      this.#rows.set(key, rows);
    }
    rows.users++;
    return rows.first;
  }

  /** Whether somebody uses the rows of a thing. */
  has(key: RowKey): boolean {
    return this.#rows.has(key);
  }

  /** One less uses these. */
  drop(keys: Iterable<RowKey>): void {
    for (const key of keys) {
      const rows = this.#rows.get(key);
      if (rows === undefined || --rows.users > 0) continue;
      this.#rows.delete(key);
      for (let row = rows.first; row < rows.first + rows.count; row++) this.#scoreboard.clear(row);
      const free = this.#free.get(rows.count) ?? [];
      free.push(rows.first);
      this.#free.set(rows.count, free);
    }
  }

  #take(count: number): number {
    const free = this.#free.get(count)?.pop();
    if (free !== undefined) return free;
    if (this.#next + count > MAX_ROWS) {
      throw new RunError("the configuration has too many listeners, pools and backends");
    }
    this.#next += count;
    return this.#next - count;
  }
}
