/** What all workers have counted since the start, by the names of listeners, pools and backends. */

import { HISTOGRAM_CELLS, viewHistogram } from "../pool/histogram.ts";
import * as tally from "../pool/tally.ts";
import { NO_POOL } from "../dataplane/accounts.ts";
import { END_REASONS, isDenial, TURNED_AWAY, UNSERVED } from "../dataplane/record.ts";
import type { Totals } from "../admin/operations.ts";
import type { Departed } from "./leaving.ts";
import type { Plan } from "./plan.ts";

/** Stands for whatever no configuration in force has any more; no name has parentheses. */
export const REMOVED = "(removed)";

interface Entry {
  readonly listener: string;
  readonly pool: string;
  readonly backend: string | null;
  readonly cells: Float64Array;
}

const REFUSED = UNSERVED.union(TURNED_AWAY);

/** Ends that an operator wants to see at once: sessions that were refused, or were lost with their backend. */
export const FAILURES = END_REASONS
  .map((end, i) => ({ end, cell: tally.ENDS + i, isRefusal: REFUSED.has(end) }))
  .filter(({ end, isRefusal }) => isRefusal || end === "backend_reset" || end === "backend_down");

export class TotalsBook {
  readonly #entries = new Map<string, Entry>();

  /** Adds what a worker has handed over. */
  add(entries: readonly tally.TallyEntry[]): void {
    for (const { key: { listener, pool, backend = null }, cells } of entries) {
      add(this.#entry(listener, pool, backend).cells, cells);
    }
  }

  /**
   * Sums up what is in none of these under {@linkcode REMOVED}: a backend under its pool, a pool under its listener.
   * So no total ever goes back, and there are never more entries than configurations have.
   */
  keepOnly(plans: readonly Plan[], departures: readonly Departed[]): void {
    const listeners = new Set(plans.flatMap((plan) => plan.listeners.map(({ name }) => name)));
    const pools = new Set([NO_POOL.name, ...plans.flatMap((plan) => plan.pools.map(({ name }) => name))]);
    const members = plans.flatMap((plan) =>
      plan.pools.flatMap((pool) => pool.backends.map((backend) => ({ pool, backend })))
    );
    const backends = new Set([...members, ...departures].map((it) => `${it.pool.name} ${it.backend.name}`));
    for (const [id, { listener, pool, backend, cells }] of [...this.#entries]) {
      const isKnown = backend === null || backends.has(`${pool} ${backend}`);
      const known = {
        listener: listeners.has(listener) ? listener : REMOVED,
        pool: pools.has(pool) ? pool : REMOVED,
        backend: isKnown ? backend : REMOVED,
      };
      if (idOf(known.listener, known.pool, known.backend) === id) continue;
      this.#entries.delete(id);
      add(this.#entry(known.listener, known.pool, known.backend).cells, cells);
    }
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
      short_dials: cells[tally.SHORT_DIALS] ?? 0,
      datagrams_over_limit: cells[tally.DROPPED_OVER_LIMIT] ?? 0,
      datagrams_without_room: cells[tally.DROPPED_NO_ROOM] ?? 0,
      dial_seconds: viewHistogram(cells, tally.DIAL_SECONDS),
      session_seconds: viewHistogram(cells, tally.SESSION_SECONDS),
      queue_seconds: viewHistogram(cells, tally.QUEUE_SECONDS),
    }));
  }

  /** A few sums for each entry, cheap enough for once a second. */
  *sums(): Generator<Sums> {
    for (const { listener, pool, backend, cells } of this.#entries.values()) {
      let [sessions, refused] = [0, 0];
      for (const [i, end] of END_REASONS.entries()) {
        const ended = cells[tally.ENDS + i] ?? 0;
        sessions += ended;
        if (REFUSED.has(end)) refused += ended;
      }
      let dials = 0;
      for (let i = 0; i < HISTOGRAM_CELLS - 1; i++) dials += cells[tally.DIAL_SECONDS + i] ?? 0;
      yield {
        listener,
        pool,
        backend,
        sessions,
        refused,
        failures: FAILURES.map(({ cell }) => cells[cell] ?? 0),
        retries: cells[tally.RETRIES] ?? 0,
        bytesIn: cells[tally.BYTES_IN] ?? 0,
        bytesOut: cells[tally.BYTES_OUT] ?? 0,
        droppedOverLimit: cells[tally.DROPPED_OVER_LIMIT] ?? 0,
        droppedNoRoom: cells[tally.DROPPED_NO_ROOM] ?? 0,
        dialFailures: cells[tally.DIAL_FAILURES] ?? 0,
        dials,
        dialSeconds: cells[tally.DIAL_SECONDS + HISTOGRAM_CELLS - 1] ?? 0,
      };
    }
  }

  #entry(listener: string, pool: string, backend: string | null): Entry {
    const id = idOf(listener, pool, backend);
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = { listener, pool, backend, cells: new Float64Array(tally.ENDS + END_REASONS.length) };
      this.#entries.set(id, entry);
    }
    return entry;
  }
}

/** Sums of one entry. */
export interface Sums {
  readonly listener: string;
  readonly pool: string;
  readonly backend: string | null;
  /** That have ended. */
  readonly sessions: number;
  /** Of these, the ones that could not be served, or were turned away. */
  readonly refused: number;
  /** Those that went wrong, in the order of {@linkcode FAILURES}. */
  readonly failures: readonly number[];
  readonly retries: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Datagrams. */
  readonly droppedOverLimit: number;
  readonly droppedNoRoom: number;
  readonly dialFailures: number;
  readonly dials: number;
  readonly dialSeconds: number;
}

function add(total: Float64Array, more: ArrayLike<number>): void {
  for (let i = 0; i < more.length; i++) total[i] = (total[i] ?? 0) + (more[i] ?? 0);
}

/** Names have no spaces. */
function idOf(listener: string, pool: string, backend: string | null): string {
  return `${listener} ${pool} ${backend ?? ""}`;
}

/** Sessions that were let in, and those of them that could not be served or were lost with their backend. */
export function servedSessions(totals: TotalsBook): { readonly ended: number; readonly failed: number } {
  let [ended, failed] = [0, 0];
  for (const { sessions, failures } of totals.sums()) {
    ended += sessions;
    for (const [i, { end }] of FAILURES.entries()) {
      if (isDenial(end)) ended -= failures[i] ?? 0;
      else failed += failures[i] ?? 0;
    }
  }
  return { ended, failed };
}

/** One of the sums, of all of these. */
export function total(
  sums: readonly Sums[],
  what: Exclude<keyof Sums, "listener" | "pool" | "backend" | "failures">,
): number {
  return sums.reduce((sum, it) => sum + it[what], 0);
}
