/** Looks once a second at what the totals have grown by, and remembers the last ten minutes of it. */

import type { Summary } from "../admin/operations.ts";
import type { Balancer } from "./balancer.ts";

const LOOK_EVERY_MS = 1_000;

/** Ten minutes. */
const REMEMBERED = 600;

/** Backends whose dials are drawn; more lines would not be told apart. */
const MAX_DIAL_LINES = 20;

interface Count {
  sessions: number;
  bytesIn: number;
  bytesOut: number;
  dials: number;
  dialSeconds: number;
}

export class Watch {
  readonly #balancer: Balancer;
  readonly #history: Summary[] = [];
  readonly #hearers = new Set<(summary: Summary) => void>();
  /** By listener, pool and backend; the last look. */
  #before = new Map<string, Count>();
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
    const grown: Count = { sessions: 0, bytesIn: 0, bytesOut: 0, dials: 0, dialSeconds: 0 };
    const dials = new Map<string, Count>();
    for (const { listener, pool, backend, ...sums } of this.#balancer.totals.sums()) {
      const key = `${listener} ${pool} ${backend ?? ""}`;
      now.set(key, sums);
      const growth = difference(sums, this.#before.get(key));
      add(grown, growth);
      if (backend === null || growth.dials === 0) continue;
      const line = dials.get(`${pool}/${backend}`) ?? { ...growth, dials: 0, dialSeconds: 0 };
      line.dials += growth.dials;
      line.dialSeconds += growth.dialSeconds;
      dials.set(`${pool}/${backend}`, line);
    }
    this.#before = now;
    for (const [name, count] of dials) this.#dialMs.set(name, round(count.dialSeconds * 1_000 / count.dials));
    this.#tell({
      time: Math.round(Date.now() / 1_000),
      active: this.#active(),
      sessions_per_s: round(grown.sessions / seconds),
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
    bytesIn: now.bytesIn - before.bytesIn,
    bytesOut: now.bytesOut - before.bytesOut,
    dials: now.dials - before.dials,
    dialSeconds: now.dialSeconds - before.dialSeconds,
  };
}

function add(sum: Count, count: Count): void {
  sum.sessions += count.sessions;
  sum.bytesIn += count.bytesIn;
  sum.bytesOut += count.bytesOut;
}

/** To microseconds, or thousandths. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
