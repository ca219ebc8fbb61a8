/** What all workers have counted since the start, by the names of listeners, pools and backends. */

import { HISTOGRAM_CELLS, viewHistogram } from "../pool/histogram.ts";
import * as tally from "../pool/tally.ts";
import { END_REASONS } from "../dataplane/record.ts";
import type { Totals } from "../admin/operations.ts";
import type { Plan } from "./plan.ts";

interface Entry {
  readonly listener: string;
  readonly pool: string;
  readonly backend: string | null;
  readonly cells: Float64Array;
}

export class TotalsBook {
  readonly #entries = new Map<string, Entry>();
  /** Names of backends by their rows. */
  readonly #names = new WeakMap<Plan, ReadonlyMap<number, string>>();

  /** Adds what a worker of this plan has handed over. */
  add(plan: Plan, entries: readonly tally.TallyEntry[]): void {
    for (const { key, cells } of entries) {
      const total = this.#entryOf(plan, key);
      if (total === undefined) continue;
      for (let i = 0; i < cells.length; i++) total.cells[i] = (total.cells[i] ?? 0) + (cells[i] ?? 0);
    }
  }

  /** Forgets what is in none of these plans, so that there are never more entries than configurations have. */
  keepOnly(plans: readonly Plan[]): void {
    const kept = new Set(
      plans.flatMap((plan) =>
        plan.listeners.flatMap(({ name, pool: at }) => {
          const pool = plan.pools[at];
          if (pool === undefined) return [];
          return [null, ...pool.backends.map((it) => it.name)].map((it) => idOf(name, pool.name, it));
        })
      ),
    );
    for (const id of this.#entries.keys()) if (!kept.has(id)) this.#entries.delete(id);
  }

  /** Everything, as the metrics show it. */
  totals(): Totals[] {
    return [...this.#entries.values()].map(({ listener, pool, backend, cells }) => ({
      listener,
      pool,
      backend,
      ends: Object.fromEntries(END_REASONS.map((end, i) => [end, cells[tally.ENDS + i] ?? 0])),
      bytes_in: cells[tally.BYTES_IN] ?? 0,
      bytes_out: cells[tally.BYTES_OUT] ?? 0,
      dial_failures: cells[tally.DIAL_FAILURES] ?? 0,
      retries: cells[tally.RETRIES] ?? 0,
      dial_seconds: viewHistogram(cells, tally.DIAL_SECONDS),
      session_seconds: viewHistogram(cells, tally.SESSION_SECONDS),
      queue_seconds: viewHistogram(cells, tally.QUEUE_SECONDS),
    }));
  }

  /** A few sums for each entry, cheap enough for once a second. */
  *sums(): Generator<Sums> {
    for (const { listener, pool, backend, cells } of this.#entries.values()) {
      let sessions = 0;
      for (let i = 0; i < END_REASONS.length; i++) sessions += cells[tally.ENDS + i] ?? 0;
      let dials = 0;
      for (let i = 0; i < HISTOGRAM_CELLS - 1; i++) dials += cells[tally.DIAL_SECONDS + i] ?? 0;
      yield {
        listener,
        pool,
        backend,
        sessions,
        bytesIn: cells[tally.BYTES_IN] ?? 0,
        bytesOut: cells[tally.BYTES_OUT] ?? 0,
        dialFailures: cells[tally.DIAL_FAILURES] ?? 0,
        dials,
        dialSeconds: cells[tally.DIAL_SECONDS + HISTOGRAM_CELLS - 1] ?? 0,
      };
    }
  }

  #entryOf(plan: Plan, key: tally.TallyKey): Entry | undefined {
    const listener = plan.listeners.find((it) => it.row === key.listener);
    const pool = plan.pools[listener?.pool ?? -1];
    if (listener === undefined || pool === undefined) return undefined;
    const backend = this.#backendNames(plan).get(key.backend ?? -1) ?? null;
    const id = idOf(listener.name, pool.name, backend);
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      const cells = new Float64Array(tally.ENDS + END_REASONS.length);
      entry = { listener: listener.name, pool: pool.name, backend, cells };
      this.#entries.set(id, entry);
    }
    return entry;
  }

  #backendNames(plan: Plan): ReadonlyMap<number, string> {
    let names = this.#names.get(plan);
    if (names === undefined) {
      names = new Map(plan.pools.flatMap((pool) => pool.backends.map(({ row, name }) => [row, name])));
      this.#names.set(plan, names);
    }
    return names;
  }
}

/** Sums of one entry. */
export interface Sums {
  readonly listener: string;
  readonly pool: string;
  readonly backend: string | null;
  /** That have ended. */
  readonly sessions: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly dialFailures: number;
  readonly dials: number;
  readonly dialSeconds: number;
}

/** Names have no spaces. */
function idOf(listener: string, pool: string, backend: string | null): string {
  return `${listener} ${pool} ${backend ?? ""}`;
}
