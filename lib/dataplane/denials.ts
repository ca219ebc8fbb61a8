/** Clients that were turned away, by source: counted, since there may be thousands a second. */

import type { Endpoint } from "../core/endpoint.ts";
import { sourceText } from "../core/source.ts";
import type { TurnedAwayReason } from "./record.ts";

/** Those of a listener and for one reason, since the last time. */
export interface Denials {
  readonly listener: string;
  readonly reason: TurnedAwayReason;
  readonly count: number;
  /** Where they came from, and how often; some of the sources when there are many. */
  readonly sources: ReadonlyMap<string, number>;
}

/** More sources than this are not told apart; the first to come are. */
const MAX_SOURCES = 64;

export class DenialCounts {
  #counts = new Map<
    string,
    { listener: string; reason: TurnedAwayReason; count: number; sources: Map<string, number> }
  >();

  /** @param source The client: the one that a PROXY header names, or the one that has connected. */
  add(listener: string, reason: TurnedAwayReason, source: Endpoint): void {
    const key = `${listener} ${reason}`;
    let counted = this.#counts.get(key);
    if (counted === undefined) {
      this.#counts.set(key, counted = { listener, reason, count: 0, sources: new Map() });
    }
    counted.count++;
    const text = sourceText(source);
    const before = counted.sources.get(text) ?? 0;
    if (before > 0 || counted.sources.size < MAX_SOURCES) counted.sources.set(text, before + 1);
  }

  /** What has been added since the last time. */
  handOver(): Denials[] {
    const denials = [...this.#counts.values()];
    if (denials.length > 0) this.#counts = new Map();
    return denials;
  }
}
