// @ts-check

/** The table of sources whose clients are not let in; there is none while all are. */

import { byId, partsOf, setHidden, stamp } from "./dom.js";
import { formatCount, formatSpan } from "./format.js";

/** @import { Status } from "./api.js" */

const HELD_BACK_WORDS = {
  denied: "not allowed",
  source_limit: "too many at once",
  rate_limit: "too fast",
};

export function createHeldBack() {
  const body = byId("held-back-rows");

  return {
    /** @param {Status} status */
    update({ held_back: sources, now }) {
      setHidden(byId("held-back"), sources.length === 0);
      while (body.children.length > sources.length) body.lastElementChild?.remove();
      while (body.children.length < sources.length) body.append(stamp("held-back-row"));
      sources.forEach((it, i) => {
        const row = partsOf(/** @type {HTMLElement} */ (body.children[i]));
        row.put("source", it.source);
        row.put("listener", it.listener);
        row.put("reason", HELD_BACK_WORDS[it.reason]);
        row.putFigure("active", formatCount(it.active), it.active);
        row.put("refused", formatCount(it.refused));
        row.put("last", `${formatSpan((Date.parse(now) - Date.parse(it.last)) / 1_000)} ago`);
      });
    },
  };
}
