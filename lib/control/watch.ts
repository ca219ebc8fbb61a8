/** Looks once a second at what the totals have grown by, and remembers the last ten minutes of it. */

import type { Summary } from "../admin/operations.ts";
import type { Balancer } from "./balancer.ts";
import { FAILURES, REMOVED } from "./totals.ts";

const LOOK_EVERY_MS = 1_000;

/** Ten minutes. */
const REMEMBERED = 600;

/** Backends whose dials are drawn; more lines would not be told apart. */
const MAX_DIAL_LINES = 20;

interface Count {
  sessions: number;
  retries: number;
  /** In the order of {@linkcode FAILURES}. */
  failures: readonly number[];
  bytesIn: number;
  bytesOut: number;
  dials: number;
  dialSeconds: number;
}

const NONE: Count = {
  sessions: 0,
  retries: 0,
  failures: [],
  bytesIn: 0,
  bytesOut: 0,
  dials: 0,
  dialSeconds: 0,
};

export class Watch {
  readonly #balancer: Balancer;
  readonly #history: Summary[] = [];
  readonly #hearers = new Set<(summary: Summary) => void>();
  /** By listener, pool and backend; the last look. */
  #before = new Map<string, Count>();
  #sumBefore: Count = NONE;
  /** Mean of the last second with dials, by `pool/backend`. */
  readonly #dialMs = new Map<string, number>();
  #lastMs = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** The oldest first. */
  get history(): readonly Summary[] {
    return this.#history;
  }

  /** Mean dial time in the last second in which there was a dial; null before the first. */
  dialMs(pool: string, backend: string): number | null {
    return this.#dialMs.get(`${pool}/${backend}`) ?? null;
  }

  /** Hears every summary from now on, until the returned function is called. */
  subscribe(hear: (summary: Summary) => void): () => void {
    this.#hearers.add(hear);
    return () => this.#hearers.delete(hear);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const seconds = (performance.now() - this.#lastMs) / 1_000;
    this.#lastMs = performance.now();
    const now = new Map<string, Count>();
    // Over everything: what one entry has moves to another when its backend is removed.
    const sum: Count = { ...NONE };
    const dials = new Map<string, Count>();
    for (const { listener, pool, backend, ...sums } of this.#balancer.totals.sums()) {
      const key = `${listener} ${pool} ${backend ?? ""}`;
      now.set(key, sums);
      add(sum, sums);
      const growth = difference(sums, this.#before.get(key));
      if (backend === null || backend === REMOVED || growth.dials === 0) continue;
      const line = dials.get(`${pool}/${backend}`) ?? { ...NONE };
      line.dials += growth.dials;
      line.dialSeconds += growth.dialSeconds;
      dials.set(`${pool}/${backend}`, line);
    }
    const grown = difference(sum, this.#sumBefore);
    this.#before = now;
    this.#sumBefore = sum;
    for (const [name, count] of dials) this.#dialMs.set(name, round(count.dialSeconds * 1_000 / count.dials));
    this.#tell({
      time: Math.round(Date.now() / 1_000),
      active: this.#active(),
      sessions_per_s: round(grown.sessions / seconds),
      refused_per_s: ratesOf(grown.failures, seconds),
      retries_per_s: round(grown.retries / seconds),
      bytes_in_per_s: Math.round(grown.bytesIn / seconds),
      bytes_out_per_s: Math.round(grown.bytesOut / seconds),
      dial_ms: this.#dialLines(dials),
    });
  }

  #active(): number {
    const { scoreboard, plan } = this.#balancer;
    return plan.listeners.reduce((sum, { sessionsRow }) => sum + scoreboard.count(sessionsRow), 0);
  }

  #dialLines(dials: ReadonlyMap<string, Count>): Record<string, number | null> {
    const names = this.#balancer.plan.pools
      .flatMap(({ name, backends }) => backends.map((backend) => `${name}/${backend.name}`));
    return Object.fromEntries(
      names.slice(0, MAX_DIAL_LINES).map((name) => {
        return [name, dials.has(name) ? this.#dialMs.get(name) ?? null : null];
      }),
    );
  }

  #tell(summary: Summary): void {
    this.#history.push(summary);
    if (this.#history.length > REMEMBERED) this.#history.shift();
    for (const hear of this.#hearers) hear(summary);
  }
}

function difference(now: Count, before: Count | undefined): Count {
  if (before === undefined) return { ...now };
  return {
    sessions: now.sessions - before.sessions,
    retries: now.retries - before.retries,
    failures: now.failures.map((count, i) => count - (before.failures[i] ?? 0)),
    bytesIn: now.bytesIn - before.bytesIn,
    bytesOut: now.bytesOut - before.bytesOut,
    dials: now.dials - before.dials,
    dialSeconds: now.dialSeconds - before.dialSeconds,
  };
}

function add(sum: Count, count: Count): void {
  sum.sessions += count.sessions;
  sum.retries += count.retries;
  sum.failures = FAILURES.map((_, i) => (sum.failures[i] ?? 0) + (count.failures[i] ?? 0));
  sum.bytesIn += count.bytesIn;
  sum.bytesOut += count.bytesOut;
}

/** By end reason; those that did not happen are left out. */
function ratesOf(failures: readonly number[], seconds: number): Record<string, number> {
  return Object.fromEntries(
    FAILURES.flatMap(({ end }, i) => {
      const count = failures[i] ?? 0;
      return count > 0 ? [[end, round(count / seconds)]] : [];
    }),
  );
}

/** To microseconds, or thousandths. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
