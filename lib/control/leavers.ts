/** What becomes of the sessions of backends that are members no more: `leave` of their pool. */

import type { Config } from "../config/schema.ts";
import type { Backend } from "../pool/backend.ts";
import type { BackendRow } from "../pool/row.ts";
import type { Plan } from "./plan.ts";

export interface LeaversOptions {
  /** Ends the sessions of a backend. */
  readonly endSessions: (backend: BackendRow) => void;
  /** The backend that has a row, in any generation. */
  readonly backendAt: (row: BackendRow) => Backend | undefined;
}

export class Leavers {
  readonly #options: LeaversOptions;
  readonly #deadlines = new Map<BackendRow, ReturnType<typeof setTimeout>>();

  constructor(options: LeaversOptions) {
    this.#options = options;
  }

  /** A plan has come into force in the place of another. */
  follow(before: Plan, now: Plan, config: Config): void {
    const members = new Set(now.pools.flatMap(({ backends }) => backends.map(({ row }) => row)));
    for (const row of this.#deadlines.keys()) if (members.has(row)) this.#forget(row);
    for (const { name, backends } of before.pools) {
      const pool = config.pools[name];
      if (pool === undefined) continue;
      for (const backend of backends) {
        if (members.has(backend.row)) continue;
        if (pool.leave === "close") this.#options.endSessions(backend.row);
        else if (pool.leaveTimeoutMs > 0) this.#setDeadline(backend, pool.leaveTimeoutMs);
      }
    }
  }

  /** Forgets all deadlines. */
  stop(): void {
    for (const row of this.#deadlines.keys()) this.#forget(row);
  }

  #setDeadline({ row, name }: Backend, timeoutMs: number): void {
    this.#forget(row);
    const timer = setTimeout(() => {
      this.#deadlines.delete(row);
      // A row may belong to another backend by then.
      if (this.#options.backendAt(row)?.name === name) this.#options.endSessions(row);
    }, timeoutMs);
    this.#deadlines.set(row, timer);
  }

  #forget(row: BackendRow): void {
    clearTimeout(this.#deadlines.get(row));
    this.#deadlines.delete(row);
  }
}
