/** Flows that made room for others: a flood makes thousands a second, and a record of each would be another one. */

import { type Endpoint, formatEndpoint } from "../core/endpoint.ts";

/** Those of a listener that have left no record, since the last time. */
export interface Forgotten {
  readonly listener: string;
  readonly count: number;
  /** One of them. */
  readonly client: string;
}

/** So many leave a record, of each worker in each period. */
const MAX_RECORDS = 10;
const PERIOD_MS = 1_000;

export class ForgottenFlows {
  #records = 0;
  #periodEndMs = 0;
  #counts = new Map<string, { count: number; readonly client: Endpoint }>();

  /** Whether one more may leave a record. */
  takeRecord(): boolean {
    return this.#records < MAX_RECORDS && ++this.#records > 0;
  }

  /** One leaves none. */
  add(listener: string, client: Endpoint): void {
    const counted = this.#counts.get(listener);
    if (counted === undefined) this.#counts.set(listener, { count: 1, client });
    else counted.count++;
  }

  onTick(nowMs: number): void {
    if (nowMs < this.#periodEndMs) return;
    this.#periodEndMs = nowMs + PERIOD_MS;
    this.#records = 0;
  }

  /** What has been added since the last time. */
  handOver(): Forgotten[] {
    const forgotten = [...this.#counts].map(([listener, { count, client }]) => {
      return { listener, count, client: formatEndpoint(client) };
    });
    if (forgotten.length > 0) this.#counts = new Map();
    return forgotten;
  }
}
