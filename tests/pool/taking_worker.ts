/// <reference lib="deno.worker" />

/** A worker that takes bytes out of the bucket of a listener as fast as it can, at the same time as others do. */

import { SharedByteBuckets } from "../../lib/pool/byte_rate.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { asRow } from "../support/rows.ts";

export interface Taking {
  readonly scoreboard: SharedArrayBuffer;
  /** One word: how many workers have begun. */
  readonly begun: SharedArrayBuffer;
  readonly workers: number;
  readonly times: number;
  readonly bytesPerSecond: number;
  readonly nowMs: number;
}

self.onmessage = ({ data }: MessageEvent<Taking>): void => {
  const { times, bytesPerSecond, nowMs } = data;
  const cells = new Scoreboard(data.scoreboard).rateCells(asRow(3));
  const buckets = new SharedByteBuckets(cells, () => nowMs);
  const begun = new Int32Array(data.begun);
  // All begin together.
  Atomics.add(begun, 0, 1);
  while (Atomics.load(begun, 0) < data.workers);
  let passed = 0;
  for (let i = 0; i < times; i++) if (buckets.take("out", 1, bytesPerSecond) === 0) passed++;
  self.postMessage(passed);
};
