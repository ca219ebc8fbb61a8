// @ts-check

/** The table of listeners. */

import { showCertificates } from "./certificates.js";
import { byId, partsOf, setOrder, stamp } from "./dom.js";
import { formatByteRate, formatCount } from "./format.js";
import { showTraffic } from "./traffic.js";

/** @import { Listener, Status } from "./api.js" */
/** @import { Parts } from "./dom.js" */
/** @import { followRates, Rates } from "./rates.js" */

export function createListeners() {
  const body = byId("listener-rows");
  /** @type {Map<string, Parts>} */
  const rows = new Map();

  return {
    /**
     * @param {Status} status
     * @param {ReturnType<typeof followRates>} rates
     */
    update({ listeners, now }, rates) {
      const names = new Set(listeners.map((listener) => listener.name));
      for (const [name, row] of rows) {
        if (names.has(name)) continue;
        row.root.remove();
        rows.delete(name);
      }
      const elements = listeners.map((listener) => {
        let row = rows.get(listener.name);
        if (row === undefined) rows.set(listener.name, row = partsOf(stamp("listener-row")));
        updateRow(row, listener, rates.listener(listener.name));
        showCertificates(row, listener.certificates, Date.parse(now));
        return row.root;
      });
      setOrder(body, elements);
    },
  };
}

/**
 * @param {Parts} row
 * @param {Listener} listener
 * @param {Rates} rates
 */
function updateRow(row, listener, rates) {
  row.put("name", listener.name);
  row.put("address", listener.address === listener.name ? "" : listener.address);
  row.put("pool", listener.leaving ? "gone from the configuration" : listener.pools.join(", "));
  row.putFigure("active", formatCount(listener.active), listener.active);
  const limit = listener.max_connections || listener.max_flows;
  row.put("limit", limit === 0 ? "" : ` / ${formatCount(limit)}`);
  row.putFigure("refused", formatCount(listener.refused_total), listener.refused_total);
  row.put("refused-by", refusedWords(listener.refused_by));
  const { rate_limit: limits } = listener;
  row.put("in-limit", limits.total_in === 0 ? "" : ` /\u00a0${formatByteRate(limits.total_in)}`);
  row.put("out-limit", limits.total_out === 0 ? "" : ` /\u00a0${formatByteRate(limits.total_out)}`);
  row.put("in-each", limits.in === 0 ? "" : `${formatByteRate(limits.in)} each`);
  row.put("out-each", limits.out === 0 ? "" : `${formatByteRate(limits.out)} each`);
  showTraffic(row, listener, rates);
}

/** @param {Listener["refused_by"]} refused By reason. */
function refusedWords(refused) {
  return Object.entries(refused).map(([end, count]) => `${end.replaceAll("_", " ")} ${formatCount(count)}`)
    .join(", ");
}
