/** Clients that were not let in, over all workers: one record a second for each listener and reason, however many there are. */

import type { Recorder } from "../core/log.ts";
import type { Denials } from "../dataplane/denials.ts";

const TELL_EVERY_MS = 1_000;

export class DenialLog {
  readonly #log: Recorder;
  /** Not told yet, by listener and reason. */
  #pending = new Map<
    string,
    { listener: string; reason: string; count: number; client: string | undefined }
  >();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(log: Recorder) {
    this.#log = log;
  }

  add(denials: readonly Denials[]): void {
    for (const { listener, reason, count, sources } of denials) {
      const key = `${listener} ${reason}`;
      const before = this.#pending.get(key);
      const [client = before?.client] = sources.keys();
      this.#pending.set(key, { listener, reason, count: count + (before?.count ?? 0), client });
    }
    if (this.#pending.size > 0) this.#timer ??= setTimeout(() => this.tell(), TELL_EVERY_MS);
  }

  /** Tells now what is not told yet. */
  tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const fields of this.#pending.values()) this.#log.info("sessions_denied", fields);
    this.#pending = new Map();
  }
}
