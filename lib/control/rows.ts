/** Who has which rows of the scoreboard. What keeps its name keeps its rows, and so its live facts, through reloads. */

import { RunError } from "../core/errors.ts";
import type { Row } from "../pool/row.ts";
import { MAX_ROWS, type Scoreboard } from "../pool/scoreboard.ts";

interface Rows {
  readonly first: number;
  readonly count: number;
  /** Who use them: plans of generations, and backends that have left one. */
  users: number;
}

/** Something with rows. */
export interface RowKey<Kind extends string = string> {
  readonly kind: Kind;
  /** Unlike any other of its kind. */
  readonly name: string;
}

export class RowBook {
  readonly #scoreboard: Scoreboard;
  readonly #rows = new Map<string, Rows>();
  /** The first rows of what was given back, by how many they are. */
  readonly #free = new Map<number, number[]>();
  #next = 0;

  constructor(scoreboard: Scoreboard) {
    this.#scoreboard = scoreboard;
  }

  /**
   * The first row of a thing, and one more user of it. Without earlier users, the rows are new and zero.
   *
   * @throws {RunError} when there are no more rows.
   */
  use<Kind extends string>(key: RowKey<Kind>, count = 1): Row<Kind> {
    const id = idOf(key);
    let rows = this.#rows.get(id);
    if (rows === undefined) {
      rows = { first: this.#take(count), count, users: 0 };
      this.#rows.set(id, rows);
    }
    rows.users++;
    return rows.first as Row<Kind>;
  }

  /** Removes one user of each. */
  drop(keys: Iterable<RowKey>): void {
    for (const key of keys) {
      const id = idOf(key);
      const rows = this.#rows.get(id);
      if (rows === undefined || --rows.users > 0) continue;
      this.#rows.delete(id);
      for (let i = 0; i < rows.count; i++) this.#scoreboard.clear((rows.first + i) as Row);
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

/** Kinds are words. */
function idOf({ kind, name }: RowKey): string {
  return `${kind}: ${name}`;
}
