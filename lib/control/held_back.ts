/** The sources whose clients were refused most recently and most often, in bounded memory however many there are. */

import { readIP } from "../core/ip_words.ts";
import type { Denials } from "../dataplane/denials.ts";
import type { TurnedAwayReason } from "../dataplane/record.ts";
import type { ListenerRow } from "../pool/row.ts";
import type { SourceTable } from "../pool/source_table.ts";

export interface HeldBackSource {
  readonly listener: string;
  readonly reason: TurnedAwayReason;
  /** As `192.0.2.1`, `2001:db8::/64` or `unix`. */
  readonly source: string;
  /** How often, since it is known. */
  readonly refused: number;
  /** When it was for the last time, since 1970. */
  readonly lastMs: number;
}

const MAX_SOURCES = 200;

/** A source that is let in, or stays away, for so long is forgotten. */
const FORGET_MS = 600_000;

export class HeldBackBook {
  readonly #sources = new Map<string, HeldBackSource>();

  add(denials: readonly Denials[], nowMs: number): void {
    for (const { listener, reason, sources } of denials) {
      for (const [source, count] of sources) {
        const key = `${listener} ${reason} ${source}`;
        const before = this.#sources.get(key);
        if (before === undefined && this.#sources.size >= MAX_SOURCES) this.#dropQuietest();
        const refused = (before?.refused ?? 0) + count;
        this.#sources.set(key, { listener, reason, source, refused, lastMs: nowMs });
      }
    }
  }

  /** Those of the last ten minutes, the busiest first. */
  busiest(most: number, nowMs: number): HeldBackSource[] {
    for (const [key, { lastMs }] of this.#sources) {
      if (nowMs - lastMs > FORGET_MS) this.#sources.delete(key);
    }
    return [...this.#sources.values()].sort((a, b) => b.refused - a.refused || b.lastMs - a.lastMs).slice(
      0,
      most,
    );
  }

  #dropQuietest(): void {
    let [quietest, refused] = ["", Infinity];
    for (const [key, it] of this.#sources) if (it.refused < refused) [quietest, refused] = [key, it.refused];
    this.#sources.delete(quietest);
  }
}

/** How many connections a source has at a listener. */
export function connectionsOf(table: SourceTable, row: ListenerRow, source: string): number {
  const words = new Uint32Array(4);
  const family = readIP(source.replace(/\/64$/, ""), words);
  return family === undefined ? 0 : table.count(row, words, family === 4 ? 1 : 2);
}
