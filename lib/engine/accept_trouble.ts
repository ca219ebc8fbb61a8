import { reasonOf } from "../core/errors.ts";
import type { AcceptOptions } from "./contract.ts";

/** Pause after an error such as EMFILE. It doubles with each error that follows, up to the maximum. */
const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 500;

/** Least time between two reports: descriptors that run out again and again would fill the log. */
const REPORT_INTERVAL_MS = 5_000;

/** The series of errors of one listener: how long to wait after each, and which of them is told. */
export class AcceptTrouble {
  readonly #tell: AcceptOptions<unknown>["onTrouble"];
  #pauseMs = 0;
  #lastReportMs = -Infinity;
  #isReported = false;

  constructor(tell: AcceptOptions<unknown>["onTrouble"]) {
    this.#tell = tell;
  }

  /** A connection was accepted. */
  accepted(): void {
    this.#pauseMs = 0;
    if (this.#isReported) this.#tell("accept_recovered", {});
    this.#isReported = false;
  }

  /** Gives the pause before the next try, in milliseconds. */
  failed(error: unknown): number {
    const nowMs = performance.now();
    if (!this.#isReported && nowMs - this.#lastReportMs >= REPORT_INTERVAL_MS) {
      this.#tell("accept_failing", { reason: reasonOf(error) });
      this.#lastReportMs = nowMs;
      this.#isReported = true;
    }
    this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, FIRST_PAUSE_MS), MAX_PAUSE_MS);
    return this.#pauseMs;
  }
}
