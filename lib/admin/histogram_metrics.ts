/** The histograms of a scrape: what each listener and backend has observed, added up for the labels that are shown. */

import type { HistogramView } from "../pool/histogram.ts";
import { type Exposition, labels } from "./exposition.ts";
import type { Counts, Status } from "./operations.ts";

const EMPTY: HistogramView = { cumulative: [], count: 0, sumSeconds: 0 };

/** Adds the histograms. Whoever is known has one, if only of zeros, so that its first observation counts as a rise. */
export function addHistograms(to: Exposition, { listeners, pools }: Status, { totals }: Counts): void {
  const dials = new Sums(
    pools.flatMap(({ name: pool, backends }) =>
      backends.map(({ name: backend }) => labels({ pool, backend }))
    ),
  );
  const sessions = new Sums(listeners.map(({ name, pool }) => labels({ listener: name, pool })));
  const waits = new Sums(pools.map(({ name }) => labels({ pool: name })));
  for (const { listener, pool, backend, dial_seconds, session_seconds, queue_seconds } of totals) {
    if (backend !== null) dials.add(labels({ pool, backend }), dial_seconds);
    sessions.add(labels({ listener, pool }), session_seconds);
    waits.add(labels({ pool }), queue_seconds);
  }
  to.family("sockbal_dial_seconds", "histogram", "How long it took to connect to the backend.");
  dials.addTo(to);
  to.family("sockbal_session_seconds", "histogram", "How long sessions took, from accept to the end.");
  sessions.addTo(to);
  to.family("sockbal_queue_wait_seconds", "histogram", "How long sessions waited for a free backend.");
  waits.addTo(to);
}

/** Histograms by their labels. */
class Sums {
  readonly #byLabels: Map<string, HistogramView>;

  constructor(known: readonly string[]) {
    this.#byLabels = new Map(known.map((labels) => [labels, EMPTY]));
  }

  add(labels: string, view: HistogramView): void {
    const sum = this.#byLabels.get(labels) ?? EMPTY;
    // Most are the only ones with their labels; then there is nothing to add up.
    this.#byLabels.set(labels, sum.count === 0 ? view : added(sum, view));
  }

  addTo(to: Exposition): void {
    for (const [labels, view] of this.#byLabels) to.histogram(labels, view);
  }
}

function added(a: HistogramView, b: HistogramView): HistogramView {
  if (b.count === 0) return a;
  return {
    cumulative: a.cumulative.map((count, i) => count + (b.cumulative[i] ?? 0)),
    count: a.count + b.count,
    sumSeconds: a.sumSeconds + b.sumSeconds,
  };
}
