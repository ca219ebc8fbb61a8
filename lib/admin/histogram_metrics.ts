/** The histograms of a scrape: what each listener and backend has observed, added up for the labels that are shown. */

import type { HistogramView } from "../pool/histogram.ts";
import { type Exposition, labels } from "./exposition.ts";
import type { Counts } from "./operations.ts";
import type { Status } from "./status.ts";

/** Adds the histograms. Every backend has one, if only of zeros, so that its first observation counts as a rise. */
export function addHistograms(to: Exposition, { listeners, pools }: Status, { totals }: Counts): void {
  const dials = new Sums();
  const sessions = new Sums();
  const waits = new Sums();
  for (const { name, pools } of listeners) for (const pool of pools) sessions.of(name, pool);
  for (const { name, backends } of pools) {
    waits.of(name, "");
    for (const backend of backends) dials.of(name, backend.name);
  }
  for (const { listener, pool, backend, dial_seconds, session_seconds, queue_seconds } of totals) {
    if (backend !== null) addTo(dials.of(pool, backend), dial_seconds);
    addTo(sessions.of(listener, pool), session_seconds);
    // Sessions without a pool wait for none.
    if (queue_seconds.count > 0) addTo(waits.of(pool, ""), queue_seconds);
  }
  to.family("sockbal_dial_seconds", "histogram", "How long it took to connect to the backend.");
  dials.each((pool, backend, sum) => to.histogram(labels({ pool, backend }), sum));
  to.family("sockbal_session_seconds", "histogram", "How long sessions took, from accept to the end.");
  sessions.each((listener, pool, sum) => to.histogram(labels({ listener, pool }), sum));
  to.family("sockbal_queue_wait_seconds", "histogram", "How long sessions waited for a free backend.");
  waits.each((pool, _, sum) => to.histogram(labels({ pool }), sum));
}

interface Sum {
  readonly cumulative: number[];
  count: number;
  sumSeconds: number;
}

function addTo(sum: Sum, { cumulative, count, sumSeconds }: HistogramView): void {
  for (let i = 0; i < cumulative.length; i++) {
    sum.cumulative[i] = (sum.cumulative[i] ?? 0) + (cumulative[i] ?? 0);
  }
  sum.count += count;
  sum.sumSeconds += sumSeconds;
}

/** Histograms by two names. They are no text of labels yet, which would be put together anew for each that is added. */
class Sums {
  readonly #sums = new Map<string, Map<string, Sum>>();

  /** The sum of these names, of nothing when it is new. */
  of(one: string, other: string): Sum {
    let sums = this.#sums.get(one);
    if (sums === undefined) this.#sums.set(one, sums = new Map());
    let sum = sums.get(other);
    if (sum === undefined) sums.set(other, sum = { cumulative: [], count: 0, sumSeconds: 0 });
    return sum;
  }

  each(visit: (one: string, other: string, sum: Sum) => void): void {
    for (const [one, sums] of this.#sums) {
      for (const [other, sum] of sums) visit(one, other, sum);
    }
  }
}
