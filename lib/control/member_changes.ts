// deno-lint-ignore-file no-await-in-loop -- one batch after the other

/** How changes of members come into force: all that wait together, and new workers not too often. */

import { sleep } from "../core/sleep.ts";
import type { Pause } from "../discovery/source.ts";

/** Changes what the operator has added, and gives what takes that back. Throws when it may not be. */
export type MemberChange = () => () => void;

export interface MemberChangesOptions {
  /** Runs something between two reloads. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /**
   * Puts the members of now into force.
   *
   * @param beforeReplacing Called when that needs new workers; when it throws, nothing has changed.
   */
  readonly apply: (beforeReplacing: () => void) => Promise<"kept" | "replaced">;
  /** A test may have another clock. */
  readonly pause?: Pause | undefined;
  readonly stop: AbortSignal;
}

/** New workers cost memory and processor time, and the old ones stay for as long as their sessions. */
const GENERATION_PAUSE_MS = 5_000;

interface Waiting {
  readonly change: MemberChange | undefined;
  readonly outcome: PromiseWithResolvers<"kept" | "replaced">;
}

export class MemberChanges {
  readonly #options: MemberChangesOptions;
  readonly #waiting: Waiting[] = [];
  #isApplying = false;
  /** Resolves when workers may be replaced again; undefined: they may. */
  #rest: Promise<void> | undefined;

  constructor(options: MemberChangesOptions) {
    this.#options = options;
  }

  /**
   * Puts the members of now into force, after they were changed if need be. What needs new workers too soon after the last ones waits,
   * and so does all that comes meanwhile.
   *
   * @return What became of the workers.
   * @throws What the change throws, or {@linkcode RunError} when it cannot be done; then it is taken back.
   */
  apply(change?: MemberChange): Promise<"kept" | "replaced"> {
    const outcome = Promise.withResolvers<"kept" | "replaced">();
    this.#waiting.push({ change, outcome });
    if (!this.#isApplying) void this.#applyAll();
    return outcome.promise;
  }

  async #applyAll(): Promise<void> {
    const { inTurn } = this.#options;
    this.#isApplying = true;
    while (this.#waiting.length > 0) {
      const isTooSoon = await inTurn(() => this.#applyWaiting());
      if (isTooSoon) await this.#rest;
    }
    this.#isApplying = false;
  }

  /** @return Whether it has to be tried again, when workers may be replaced. */
  async #applyWaiting(): Promise<boolean> {
    const { apply } = this.#options;
    const begun = this.#waiting.splice(0).flatMap((it) => {
      try {
        return [{ ...it, takeBack: it.change?.() }];
      } catch (error) {
        it.outcome.reject(error);
        return [];
      }
    });
    if (begun.length === 0) return false;
    try {
      const workers = await apply(() => {
        if (this.#rest !== undefined) throw new TooSoon();
      });
      if (workers === "replaced") this.#beginRest();
      for (const { outcome } of begun) outcome.resolve(workers);
      return false;
    } catch (error) {
      // Until it is tried again nothing has changed, and a reload in between knows nothing of it.
      for (const { takeBack } of begun.toReversed()) takeBack?.();
      if (error instanceof TooSoon) this.#waiting.unshift(...begun);
      else for (const { outcome } of begun) outcome.reject(error);
      return error instanceof TooSoon;
    }
  }

  #beginRest(): void {
    const { pause = sleep, stop } = this.#options;
    this.#rest = pause(GENERATION_PAUSE_MS, stop).then(() => this.#rest = undefined);
  }
}

class TooSoon extends Error {}
