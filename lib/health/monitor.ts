/**
 * The health of all backends: what checks and failing sessions say becomes facts on the scoreboard and records in the log.
 *
 * It lives in the control plane and costs sessions nothing. What it decides by is pure and elsewhere: rise_fall.ts,
 * outlier.ts, slow_start.ts; what is known about one backend is in backend_health.ts.
 */

import { BackendHealth, type HealthSurroundings, type WatchedPool } from "./backend_health.ts";
import { Turns } from "./turns.ts";

/** Checks under way at once: enough for thousands of backends, and few beside the sessions of a busy balancer. */
const MAX_CHECKS_AT_ONCE = 64;

export class HealthMonitor {
  readonly #surroundings: HealthSurroundings;
  readonly #backends = new Map<number, BackendHealth>();

  constructor(options: Pick<HealthSurroundings, "scoreboard" | "log" | "endSessions">) {
    this.#surroundings = {
      ...options,
      turns: new Turns(MAX_CHECKS_AT_ONCE),
      ejectedIn: (pool) =>
        [...this.#backends.values()].filter((it) => it.pool === pool && it.isEjected).length,
    };
  }

  /** Watches these pools from now on, and no others. A backend that stays, by its row, keeps its state and its history. */
  watch(pools: readonly WatchedPool[]): void {
    const gone = new Set(this.#backends.keys());
    for (const pool of pools) {
      for (const backend of pool.backends) {
        gone.delete(backend.row);
        const known = this.#backends.get(backend.row);
        if (known !== undefined) known.follow(pool, backend);
        else this.#backends.set(backend.row, new BackendHealth(pool, backend, this.#surroundings));
      }
    }
    for (const row of gone) {
      void this.#backends.get(row)?.stop();
      this.#backends.delete(row);
    }
  }

  /** A backend, known by its row, has failed as many sessions in a row as its pool bears. */
  failing(row: number): void {
    this.#backends.get(row)?.failing();
  }

  /** What is known about a backend; undefined for one that is not watched. */
  of(row: number): BackendHealth | undefined {
    return this.#backends.get(row);
  }

  /** Ends all checks; resolves when none is under way. */
  async stop(): Promise<void> {
    await Promise.all([...this.#backends.values()].map((backend) => backend.stop()));
  }
}
