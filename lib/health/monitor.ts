/**
 * The health of all backends: what checks and failing sessions say becomes facts on the scoreboard and records in the log.
 *
 * It lives in the control plane and costs sessions nothing. What it decides by is pure and elsewhere: rise_fall.ts,
 * outlier.ts, slow_start.ts; what is known about one backend is in backend_health.ts.
 */

import { BackendHealth, type HealthDeps, type WatchedPool } from "./backend_health.ts";
import type { BackendRow } from "../pool/row.ts";
import { ShortageNotes } from "./shortage_notes.ts";
import { type PoolKeys, TlsClients } from "./tls_clients.ts";
import { StartPace } from "./start_pace.ts";

export class HealthMonitor {
  readonly #deps: HealthDeps;
  readonly #backends = new Map<BackendRow, BackendHealth>();
  /** Backends that come once the first are watched begin slowly. */
  #hasBegun = false;

  constructor(options: Pick<HealthDeps, "scoreboard" | "log" | "endSessions">) {
    this.#deps = {
      ...options,
      pace: new StartPace(),
      tlsClients: new TlsClients(),
      shortages: new ShortageNotes(options.log, performance.now.bind(performance)),
      ejectedIn: (pool) =>
        [...this.#backends.values()].filter((it) => it.pool === pool && it.isEjected).length,
    };
  }

  /**
   * Watches these pools from now on, and no others. A backend that stays, by its row, keeps its state and its history.
   *
   * @param keys What checks open TLS with, by the names of pools.
   */
  watch(pools: readonly WatchedPool[], keys: PoolKeys): void {
    this.#deps.tlsClients.renew(keys);
    const gone = new Set(this.#backends.keys());
    for (const pool of pools) {
      for (const backend of pool.backends) {
        gone.delete(backend.row);
        const known = this.#backends.get(backend.row);
        if (known !== undefined) known.follow(pool, backend);
        else this.#backends.set(backend.row, new BackendHealth(pool, backend, this.#deps, this.#hasBegun));
      }
    }
    this.#hasBegun = true;
    for (const row of gone) {
      void this.#backends.get(row)?.stop();
      this.#backends.delete(row);
    }
  }

  /** Uses these keys for the checks to come. */
  renew(keys: PoolKeys): void {
    this.#deps.tlsClients.renew(keys);
  }

  /** A backend has reached its pool's limit of consecutive failures. */
  failing(row: BackendRow): void {
    this.#backends.get(row)?.failing();
  }

  /** What is known about a backend; undefined for one that is not watched. */
  of(row: BackendRow): BackendHealth | undefined {
    return this.#backends.get(row);
  }

  /** Ends all checks; resolves when none is under way. */
  async stop(): Promise<void> {
    await Promise.all([...this.#backends.values()].map((backend) => backend.stop()));
  }
}
