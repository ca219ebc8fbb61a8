/** What is gone from the configuration but still has sessions. It is shown, and can be killed, until the last one has ended. */

import type { ListenerOptions } from "../dataplane/messages.ts";
import type { Backend } from "../pool/backend.ts";
import type { PoolOptions } from "../pool/pool.ts";
import type { BackendRow, Row } from "../pool/row.ts";
import { backendKey, type Plan } from "./plan.ts";
import type { RowBook } from "./rows.ts";

/** A backend that has left its pool. */
export interface Departed {
  readonly pool: PoolOptions;
  readonly backend: Backend;
}

/** Backends that are in no plan any more. Each keeps its row while sessions of any generation are counted there. */
export class Departures {
  readonly #rows: RowBook;
  readonly #count: (row: Row) => number;
  readonly #backends = new Map<BackendRow, Departed>();

  /** @param count The count of a row of the scoreboard. */
  constructor(rows: RowBook, count: (row: Row) => number) {
    this.#rows = rows;
    this.#count = count;
  }

  get all(): readonly Departed[] {
    return [...this.#backends.values()];
  }

  /**
   * Records the backends of a plan that is no longer in use. Call it before its rows are dropped.
   *
   * @param living The plans in use.
   */
  note(gone: Plan, living: readonly Plan[]): void {
    const stays = new Set(living.flatMap((plan) => [...rowsOf(plan)]));
    for (const pool of gone.pools) {
      for (const backend of pool.backends) {
        if (stays.has(backend.row) || this.#backends.has(backend.row)) continue;
        this.#rows.use(backendKey(pool.name, backend.name));
        this.#backends.set(backend.row, { pool, backend });
      }
    }
  }

  /** Forgets the backends that a plan has again. */
  welcome(plan: Plan): void {
    for (const row of rowsOf(plan)) this.#forget(row);
  }

  /**
   * Gives back the rows of those without sessions.
   *
   * @param confirm Resolves with whether every worker has answered, and so takes no slot there any more.
   * @return Whether any row was given back.
   */
  async sweep(confirm: () => Promise<boolean>): Promise<boolean> {
    const isEmpty = (row: BackendRow): boolean => this.#count(row) === 0;
    if (![...this.#backends.keys()].some(isEmpty) || !await confirm()) return false;
    const empty = [...this.#backends.keys()].filter(isEmpty);
    for (const row of empty) this.#forget(row);
    return empty.length > 0;
  }

  #forget(row: BackendRow): void {
    const departed = this.#backends.get(row);
    if (departed === undefined) return;
    this.#backends.delete(row);
    this.#rows.drop([backendKey(departed.pool.name, departed.backend.name)]);
  }
}

function rowsOf({ pools }: Plan): Set<BackendRow> {
  return new Set(pools.flatMap(({ backends }) => backends.map(({ row }) => row)));
}

export interface Leaving {
  readonly listeners: readonly ListenerOptions[];
  /** Pools that are gone, or stay without some of their backends; each with the backends that leave. */
  readonly pools: readonly {
    readonly pool: PoolOptions;
    readonly isGone: boolean;
    readonly backends: Backend[];
  }[];
}

/**
 * Finds what leaves.
 *
 * @param current The plan in force.
 * @param plans Of all generations that have sessions left.
 * @param count The count of a row of the scoreboard.
 */
export function leavingOf(
  current: Plan,
  plans: readonly Plan[],
  departures: readonly Departed[],
  count: (row: Row) => number,
): Leaving {
  const listeners = new Map<Row, ListenerOptions>();
  const pools = new Map<string, { pool: PoolOptions; isGone: boolean; backends: Backend[] }>();
  const stays = new Set<Row>([...current.listeners.map(({ row }) => row), ...rowsOf(current)]);
  for (const listener of plans.flatMap((plan) => plan.listeners)) {
    if (!stays.has(listener.row) && count(listener.sessionsRow) > 0) listeners.set(listener.row, listener);
  }
  const members = plans.flatMap((plan) =>
    plan.pools.flatMap((pool) => pool.backends.map((backend): Departed => ({ pool, backend })))
  );
  for (const { pool, backend } of [...members, ...departures]) {
    if (stays.has(backend.row) || count(backend.row) === 0) continue;
    const isGone = current.pools.every(({ name }) => name !== pool.name);
    const known = pools.get(pool.name) ?? { pool, isGone, backends: [] };
    pools.set(pool.name, known);
    if (known.backends.every(({ row }) => row !== backend.row)) known.backends.push(backend);
  }
  return { listeners: [...listeners.values()], pools: [...pools.values()] };
}
