// @ts-check

/** One backend as a row of its pool's table. */

import { partsOf, setAttribute, setHidden, stamp } from "./dom.js";
import { cutInTheMiddle, formatCount, formatDecimal, formatMs, formatSpan } from "./format.js";
import { showTraffic } from "./traffic.js";

/** @import { Backend } from "./api.js" */
/** @import { Rates } from "./rates.js" */
/** @import { Parts } from "./dom.js" */

/**
 * @typedef {{
 *   element: HTMLElement, pool: string, backend: Backend, rates: Rates,
 *   update: (backend: Backend, rates: Rates, nowMs: number) => void,
 * }} BackendRow
 */

/**
 * @param {string} pool
 * @param {Backend} backend
 * @return {BackendRow}
 */
export function createBackendRow(pool, backend) {
  const element = stamp("backend-row");
  const parts = partsOf(element);
  const showBar = barOf(parts.get("bar"));
  let since = "";
  setAttribute(parts.get("menu"), "aria-label", `Change ${pool}/${backend.name}`);
  parts.put("name", backend.name);
  parts.put("short", cutInTheMiddle(backend.name));
  setAttribute(parts.get("short"), "title", backend.name);

  /** @type {BackendRow} */
  const row = {
    element,
    pool,
    backend,
    rates: { sessions: null, bytesIn: null, bytesOut: null },
    update(backend, rates, nowMs) {
      row.backend = backend;
      row.rates = rates;
      parts.put("address", backend.address === backend.name ? "" : backend.address);
      setHidden(parts.get("backup"), !backend.backup);
      setAttribute(element, "data-state", backend.state);
      parts.put("word", backend.state);
      parts.put("detail", stateDetail(backend, nowMs));
      if (backend.since !== since) {
        since = backend.since;
        parts.get("badge").title = `since ${new Date(since).toLocaleString()}`;
      }
      showWeight(parts, backend);
      parts.putFigure("active", formatCount(backend.active), backend.active);
      parts.put("limit", backend.max_connections === 0 ? "" : ` / ${formatCount(backend.max_connections)}`);
      // A bar without a limit would be full of nothing.
      setHidden(parts.get("track"), backend.max_connections === 0);
      showBar(backend.active / Math.max(1, backend.max_connections));
      showTraffic(parts, backend, rates);
      parts.put("dial", formatMs(backend.dial_ms));
      parts.putFigure("failures", formatCount(backend.dial_failures_total), backend.dial_failures_total);
    },
  };
  return row;
}

/**
 * How long a backend has been in its state and why; and what the word hides, such as that a drained one is also down.
 *
 * @param {Backend} backend
 * @param {number} nowMs
 */
function stateDetail(backend, nowMs) {
  const facts = [`for ${formatSpan((nowMs - Date.parse(backend.since)) / 1000)}`];
  if (backend.reason !== "") facts.push(backend.reason);
  if (backend.health === "down" && backend.state !== "down") facts.push("health check fails");
  if (backend.ejected && backend.state !== "ejected") facts.push("ejected");
  if (backend.origin === "operator") facts.push("set by the operator");
  if (backend.health === "unchecked" && backend.state === "up") facts.push("unchecked");
  return facts.join(" · ");
}

/**
 * @param {Parts} parts
 * @param {Backend} backend
 */
function showWeight(parts, { weight, effective_weight, configured_weight = weight }) {
  const facts = [];
  if (Math.abs(effective_weight - weight) > 0.005) facts.push(`now ${formatDecimal(effective_weight)}`);
  if (configured_weight !== weight) facts.push(`file: ${formatCount(configured_weight)}`);
  parts.put("weight", formatCount(weight));
  parts.put("effective", facts.join(", "));
  setAttribute(parts.get("effective"), "data-differs", String(configured_weight !== weight));
}

/**
 * @param {HTMLElement} bar
 * @return {(share: number) => void}
 */
function barOf(bar) {
  let shown = 0;
  return (share) => {
    const percent = Math.round(100 * Math.min(1, share));
    if (percent === shown) return;
    shown = percent;
    bar.style.transform = `scaleX(${percent / 100})`;
  };
}
