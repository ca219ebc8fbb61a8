/** Tells when a pool has no backend left that may be picked, and when it has one again. */

import type { Recorder } from "../core/log.ts";
import { availableOf } from "../pool/availability.ts";
import type { PoolOptions } from "../pool/pool.ts";
import type { PoolRow } from "../pool/row.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";

export class PoolStates {
  readonly #scoreboard: Scoreboard;
  readonly #log: Recorder;
  #pools: readonly PoolOptions[] = [];
  /** Rows of pools that have none. */
  readonly #down = new Set<PoolRow>();

  constructor(scoreboard: Scoreboard, log: Recorder) {
    this.#scoreboard = scoreboard;
    this.#log = log;
  }

  /** These are in force from now on. */
  follow(pools: readonly PoolOptions[]): void {
    this.#pools = pools;
    for (const row of this.#down) if (pools.every((pool) => pool.row !== row)) this.#down.delete(row);
    for (const { row } of pools) this.look(row);
  }

  /** A fact about a backend of the pool has changed. */
  look(row: PoolRow): void {
    const pool = this.#pools.find((it) => it.row === row);
    if (pool === undefined) return;
    const known = pool.backends.map(({ row, isBackup, unresolved }) => ({
      facts: this.#scoreboard.facts(row),
      isBackup,
      unresolved,
    }));
    const { primaries, backups } = availableOf(known, pool.tuning.whenAllDown);
    const available = primaries.length + backups.length;
    if ((available === 0) === this.#down.has(row)) return;
    const fields = { pool: pool.name, available, backends: pool.backends.length };
    if (available === 0) {
      this.#down.add(row);
      this.#log.error("pool_down", { ...fields, reason: "no backend of the pool may be picked" });
    } else {
      this.#down.delete(row);
      this.#log.info("pool_up", fields);
    }
  }
}
