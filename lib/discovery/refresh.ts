/** When a source is asked again. Pure. */

import type { Pause } from "./source.ts";

/** What sources that are asked have in common. */
export interface AskOptions {
  /** The longest time until it is asked again; undefined: 10 s, or as long as an answer of DNS holds. */
  readonly refreshMs: number | undefined;
  /** A test may have another clock. */
  readonly pause?: Pause | undefined;
}

const REFRESH_MS = 10_000;

/** However short the life of a record, this is often enough. */
const MIN_REFRESH_MS = 1_000;

/** @param ttlSeconds How long the answer holds; undefined where it does not say. */
export function againAfter(ttlSeconds: number | undefined, { refreshMs }: AskOptions): number {
  if (ttlSeconds === undefined) return refreshMs ?? REFRESH_MS;
  return Math.min(Math.max(ttlSeconds * 1_000, MIN_REFRESH_MS), refreshMs ?? Infinity, 3_600_000);
}
