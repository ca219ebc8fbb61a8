/** What happens too often for a record each, over all workers: one record a second for each listener and reason, however often it was. */

import type { Recorder } from "../core/log.ts";
import { type EndReason, UNSERVED } from "../dataplane/record.ts";

const TELL_EVERY_MS = 1_000;

/** What has happened since the last time. */
export interface Summed {
  readonly listener: string;
  readonly reason: EndReason;
  readonly count: number;
  /** Where one of them came from; undefined when that is not known. */
  readonly client: string | undefined;
}

export class SummaryLog {
  readonly #log: Recorder;
  readonly #event: string;
  /** Not told yet, by listener and reason. */
  #pending = new Map<string, Summed>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param event What its records are called. */
  constructor(log: Recorder, event: string) {
    this.#log = log;
    this.#event = event;
  }

  add(all: readonly Summed[]): void {
    for (const one of all) {
      const key = `${one.listener} ${one.reason}`;
      const before = this.#pending.get(key);
      const [count, client] = [one.count + (before?.count ?? 0), one.client ?? before?.client];
      this.#pending.set(key, { ...one, count, client });
    }
    if (this.#pending.size > 0) this.#timer ??= setTimeout(() => this.tell(), TELL_EVERY_MS);
  }

  /** Tells now what is not told yet. */
  tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const fields of this.#pending.values()) {
      this.#log[UNSERVED.has(fields.reason) ? "warn" : "info"](this.#event, { ...fields });
    }
    this.#pending = new Map();
  }
}
