/** What readers of events are sent, as server-sent events (HTML Living Standard, 9.2): a name and one line of JSON. */

import type { Change, Summary } from "./operations.ts";

export function summaryEvent(summary: Summary): string {
  return event("summary", summary);
}

export function changeEvent(change: Change): string {
  return event("change", change);
}

/** The summaries of the past as columns of the same length, which is what charts want; a missing dial time is null. */
export function historyEvent(history: readonly Summary[]): string {
  const dialMs = new Map<string, (number | null)[]>();
  history.forEach(({ dial_ms }, second) => {
    for (const [backend, value] of Object.entries(dial_ms)) {
      let column = dialMs.get(backend);
      if (column === undefined) dialMs.set(backend, column = new Array(history.length).fill(null));
      column[second] = value;
    }
  });
  const reasons = new Set(history.flatMap(({ refused_per_s }) => Object.keys(refused_per_s)));
  const refused = [...reasons].map((reason) => {
    return [reason, history.map(({ refused_per_s }) => refused_per_s[reason] ?? 0)];
  });
  return event("history", {
    times: history.map((it) => it.time),
    active: history.map((it) => it.active),
    sessions_per_s: history.map((it) => it.sessions_per_s),
    bytes_in_per_s: history.map((it) => it.bytes_in_per_s),
    bytes_out_per_s: history.map((it) => it.bytes_out_per_s),
    retries_per_s: history.map((it) => it.retries_per_s),
    refused_per_s: Object.fromEntries(refused),
    dial_ms: Object.fromEntries(dialMs),
  });
}

/** JSON has no line breaks of its own, so no content can end the event early. */
function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
