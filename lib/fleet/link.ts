/** How it is with etcd: connected or not, since when, and what is said about it. */

import { formatDuration } from "../core/duration.ts";
import type { Recorder } from "../core/log.ts";

export class Link {
  isConnected = false;
  /** Since when it is as it is, in milliseconds since 1970. */
  sinceMs: number = Date.now();
  /** Why it is not connected; empty when it is, and before the first try. */
  trouble = "";
  readonly #fleet: string;
  readonly #log: Recorder;
  readonly #answered = Promise.withResolvers<void>();

  /** @param fleet What it is called, by the prefix of its keys. */
  constructor(fleet: string, log: Recorder) {
    this.#fleet = fleet;
    this.#log = log;
  }

  /** Resolves when etcd has answered, or could not be reached. */
  get answered(): Promise<void> {
    return this.#answered.promise;
  }

  /** @param others How many other balancers there are. */
  connected(others: number): void {
    this.#answered.resolve();
    if (this.isConnected) return;
    if (this.trouble === "") {
      this.#log.info("fleet_joined", { fleet: this.#fleet, others });
    } else {
      const failedFor = formatDuration(Math.max(0, Date.now() - this.sinceMs));
      this.#log.info("fleet_connected_again", { fleet: this.#fleet, failed_for: failedFor });
    }
    this.isConnected = true;
    this.trouble = "";
    this.sinceMs = Date.now();
  }

  /** Said once; while it lasts, the reason is kept up to date. */
  failed(why: string): void {
    const isNews = this.trouble === "";
    this.isConnected = false;
    this.trouble = why;
    this.#answered.resolve();
    if (!isNews) return;
    this.sinceMs = Date.now();
    const meanwhile = "all goes on as it was last known, and what is wanted here holds here";
    this.#log.warn("fleet_not_connected", { fleet: this.#fleet, reason: why, meanwhile });
  }

  /** Nothing is tried any more. @return Whether it was connected until now. */
  end(): boolean {
    const { isConnected } = this;
    this.isConnected = false;
    this.#answered.resolve();
    return isConnected;
  }
}
