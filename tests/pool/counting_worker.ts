/// <reference lib="deno.worker" />

/** A worker that counts connections of sources as fast as it can, at the same time as others do. */

import { asRow } from "../support/rows.ts";
import { SourceLedger } from "../../lib/pool/source_ledger.ts";
import { AT_LIMIT, SourceTable } from "../../lib/pool/source_table.ts";

export interface Counting {
  readonly table: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  /** One word: how many workers have begun. */
  readonly begun: SharedArrayBuffer;
  readonly workers: number;
  readonly limit: number;
  /** Each is tried `tries` times, one after the other. */
  readonly sources: number;
  readonly tries: number;
  readonly rate: { readonly intervalUs: number; readonly burst: number; readonly nowUs: number };
}

export interface Counted {
  /** How many of each source went through. */
  readonly kept: Uint32Array;
  /** How many of them had a place in the bucket. */
  readonly charged: Uint32Array;
}

self.onmessage = ({ data }: MessageEvent<Counting>): void => {
  const { rate } = data;
  const sources = new SourceLedger(new SourceTable(data.table), data.ledger);
  const begun = new Int32Array(data.begun);
  // All begin together.
  Atomics.add(begun, 0, 1);
  while (Atomics.load(begun, 0) < data.workers);
  const kept = new Uint32Array(data.sources);
  const charged = new Uint32Array(data.sources);
  const word = new Uint32Array(1);
  for (let source = 0; source < data.sources; source++) {
    word[0] = source;
    for (let i = 0; i < data.tries; i++) {
      const place = sources.take(asRow(1), word, 1, data.limit);
      if (place === AT_LIMIT) continue;
      kept[source] = (kept[source] ?? 0) + 1;
      if (sources.table.charge(place, rate, rate.nowUs)) charged[source] = (charged[source] ?? 0) + 1;
    }
  }
  self.postMessage({ kept, charged } satisfies Counted);
};
