/** The sessions of the last minute: what a configuration that is tried is compared with. */

import type { Sessions } from "./failing.ts";

const RECENT_MS = 60_000;

export class RecentSessions {
  readonly #now: () => number;
  readonly #all: () => Sessions;
  /** The oldest first: a minute old, or as old as there is. */
  readonly #looks: (Sessions & { readonly atMs: number })[] = [];

  /** @param all Since the start. */
  constructor(now: () => number, all: () => Sessions) {
    this.#now = now;
    this.#all = all;
  }

  /** Remembers how many there are. Call it once a second. */
  look(): void {
    const atMs = this.#now();
    this.#looks.push({ atMs, ...this.#all() });
    while ((this.#looks[1]?.atMs ?? Infinity) <= atMs - RECENT_MS) this.#looks.shift();
  }

  get sessions(): Sessions {
    const { ended, failed } = this.#all();
    const [oldest = { ended, failed }] = this.#looks;
    return { ended: ended - oldest.ended, failed: failed - oldest.failed };
  }
}
