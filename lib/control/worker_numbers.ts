import { RunError } from "../core/errors.ts";
import { MAX_WORKERS } from "../pool/queue.ts";

/** Numbers for workers, each used by one living worker only, and prefixes for session ids, each used once. */
export class WorkerNumbers {
  readonly #taken = new Set<number>();
  readonly #run: string;
  #started = 0;

  constructor() {
    const random = Math.floor(Math.random() * 36 ** 2).toString(36).padStart(2, "0");
    this.#run = Date.now().toString(36) + random;
  }

  /**
   * The smallest number that no living worker has.
   *
   * @throws {RunError} when too many are alive, as when generations do not come to their end.
   */
  take(): number {
    for (let number = 0; number < MAX_WORKERS; number++) {
      if (this.#taken.has(number)) continue;
      this.#taken.add(number);
      return number;
    }
    throw new RunError(`there are ${MAX_WORKERS} workers already, with those that still drain`);
  }

  giveBack(number: number): void {
    this.#taken.delete(number);
  }

  /** What session ids of the next worker begin with: the run, and how many workers it has started. */
  sessionIdPrefix(): string {
    return `${this.#run}-${++this.#started}-`;
  }
}
