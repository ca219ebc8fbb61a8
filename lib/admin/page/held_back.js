// @ts-check

/**
 * The table of sources: those whose clients are held back, and then those with the most sessions, where a listener limits sources. There
 * is none while there are none.
 */

import { byId, partsOf, setHidden, stamp } from "./dom.js";
import { formatCount, formatSpan } from "./format.js";

/** @import { Status } from "./api.js" */

const HELD_BACK_WORDS = {
  denied: "not allowed",
  source_limit: "too many at once",
  connection_rate: "too fast",
  proxy_refused: "no proxy of ours",
  proxy_invalid: "no PROXY header",
  hello_invalid: "no ClientHello",
  tls_failed: "TLS failed",
  no_route: "no route",
  handshake_timeout: "too slow to open",
};

export function createHeldBack() {
  const body = byId("held-back-rows");

  return {
    /** @param {Status} status */
    update(status) {
      const sources = rowsOf(status);
      setHidden(byId("held-back"), sources.length === 0);
      while (body.children.length > sources.length) body.lastElementChild?.remove();
      while (body.children.length < sources.length) body.append(stamp("held-back-row"));
      const limits = new Map(status.listeners.map((it) => [it.name, it.max_connections_per_source]));
      sources.forEach((it, i) => {
        const row = partsOf(/** @type {HTMLElement} */ (body.children[i]));
        const limit = limits.get(it.listener) ?? 0;
        row.put("source", it.source);
        row.put("listener", it.listener);
        row.put("reason", it.state);
        row.putFigure("active", formatCount(it.active), it.active);
        row.put("limit", limit === 0 ? "" : ` / ${formatCount(limit)}`);
        row.put("refused", it.refused);
        row.put("last", it.last);
      });
    },
  };
}

/**
 * A source that is held back is not shown again among those that are served.
 *
 * @param {Status} status
 */
function rowsOf({ held_back: heldBack, sources, now }) {
  const keys = new Set(heldBack.map(({ source, listener }) => `${listener} ${source}`));
  const served = sources.filter(({ source, listener }) => !keys.has(`${listener} ${source}`));
  return [
    ...heldBack.map((it) => ({
      ...it,
      state: HELD_BACK_WORDS[it.reason],
      refused: formatCount(it.refused),
      last: `${formatSpan((Date.parse(now) - Date.parse(it.last)) / 1_000)} ago`,
    })),
    ...served.map((it) => ({ ...it, state: "served", refused: "", last: "" })),
  ];
}
