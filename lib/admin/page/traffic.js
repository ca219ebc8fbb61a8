// @ts-check

/** What listeners and backends have in common: sessions and bytes, a second and in all. */

import { formatByteRate, formatBytes, formatCount, formatRate } from "./format.js";

/** @import { Parts } from "./dom.js" */
/** @import { Rates } from "./rates.js" */

/**
 * @param {Parts} parts
 * @param {{ sessions_total: number, bytes_in: number, bytes_out: number }} totals
 * @param {Rates} rates
 */
export function showTraffic(parts, totals, rates) {
  parts.putFigure("sessions", formatRate(rates.sessions), rates.sessions);
  parts.put("sessions-total", formatCount(totals.sessions_total));
  parts.putFigure("in", formatByteRate(rates.bytesIn), rates.bytesIn);
  parts.put("in-total", formatBytes(totals.bytes_in));
  parts.putFigure("out", formatByteRate(rates.bytesOut), rates.bytesOut);
  parts.put("out-total", formatBytes(totals.bytes_out));
}
