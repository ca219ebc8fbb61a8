/** The plans that generations run, and what has left with those that are no longer in use. */

import { sleep } from "../core/sleep.ts";
import type { Backend } from "../pool/backend.ts";
import type { BackendRow } from "../pool/row.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";
import { Departures, type Leaving, leavingOf } from "./leaving.ts";
import type { Plan } from "./plan.ts";
import type { RowBook } from "./rows.ts";
import type { TotalsBook } from "./totals.ts";

export interface PlansInUseOptions {
  readonly rows: RowBook;
  readonly scoreboard: Scoreboard;
  readonly totals: TotalsBook;
  /** The plans of all generations that have not drained. */
  readonly plans: () => readonly Plan[];
  /** Resolves with whether every worker has answered; see `Generations.confirm`. */
  readonly confirm: () => Promise<boolean>;
  /** Runs something between two reloads. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  readonly stop: AbortSignal;
}

/** How often the counts of departed backends are checked. */
const SWEEP_MS = 1_000;

export class PlansInUse {
  readonly #options: PlansInUseOptions;
  readonly #departures: Departures;
  #isSweeping = false;

  constructor(options: PlansInUseOptions) {
    this.#options = options;
    this.#departures = new Departures(options.rows, (row) => options.scoreboard.count(row));
  }

  /** A plan came into force. */
  begin(plan: Plan): void {
    this.#departures.welcome(plan);
  }

  /** A plan is no longer in use. Its rows are given back, but for backends that still have sessions. */
  end(plan: Plan): void {
    const { rows, plans } = this.#options;
    this.#departures.note(plan, plans());
    rows.drop(plan.rows);
    this.#keepTotals();
    this.#sweepLater();
  }

  /** What `current` does not have, and still has sessions. */
  leaving(current: Plan): Leaving {
    const { plans, scoreboard } = this.#options;
    return leavingOf(current, plans(), this.#departures.all, (row) => scoreboard.count(row));
  }

  /** The backend that has a row, in any generation; undefined for a free row. */
  backendAt(row: BackendRow): Backend | undefined {
    const members = this.#options.plans().flatMap((plan) => plan.pools.flatMap(({ backends }) => backends));
    return [...members, ...this.#departures.all.map((it) => it.backend)].find((it) => it.row === row);
  }

  #keepTotals(): void {
    this.#options.totals.keepOnly(this.#options.plans(), this.#departures.all);
  }

  #sweepLater(): void {
    if (this.#isSweeping || this.#departures.all.length === 0 || this.#options.stop.aborted) return;
    this.#isSweeping = true;
    void this.#sweep().finally(() => {
      this.#isSweeping = false;
      this.#sweepLater();
    });
  }

  /** Gives back the rows of departed backends whose last session has ended. */
  async #sweep(): Promise<void> {
    const { inTurn, confirm, stop } = this.#options;
    await sleep(SWEEP_MS, stop);
    if (stop.aborted) return;
    if (await inTurn(() => this.#departures.sweep(confirm))) this.#keepTotals();
  }
}
