/** What happens to the balancer, as told to the log, and the last of it remembered for those who look at it. */

import type { Change } from "../admin/operations.ts";
import type { Recorder } from "../core/log.ts";

/** As many as a page shows. */
const REMEMBERED = 100;

export class Journal {
  readonly #log: Recorder;
  readonly #recent: Change[] = [];
  readonly #hearers = new Set<(change: Change) => void>();

  constructor(log: Recorder) {
    this.#log = log;
  }

  /** The last changes, the oldest first. */
  get recent(): readonly Change[] {
    return this.#recent;
  }

  info(event: string, fields: Record<string, unknown>): void {
    this.#log.info(event, fields);
    this.#note("info", event, fields);
  }

  warn(event: string, fields: Record<string, unknown>): void {
    this.#log.warn(event, fields);
    this.#note("warn", event, fields);
  }

  error(event: string, fields: Record<string, unknown>): void {
    this.#log.error(event, fields);
    this.#note("error", event, fields);
  }

  /** Hears every change from now on, until the returned function is called. */
  subscribe(hear: (change: Change) => void): () => void {
    this.#hearers.add(hear);
    return () => this.#hearers.delete(hear);
  }

  #note(level: Change["level"], event: string, fields: Record<string, unknown>): void {
    const change = { time: new Date().toISOString(), level, event, fields };
    this.#recent.push(change);
    if (this.#recent.length > REMEMBERED) this.#recent.shift();
    for (const hear of this.#hearers) hear(change);
  }
}
