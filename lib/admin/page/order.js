// @ts-check

/** In which order backends stand in a table. */

/** @import { Backend, BackendState } from "./api.js" */
/** @import { Rates } from "./rates.js" */

/**
 * @typedef {{ backend: Backend, rates: Rates }} Sortable
 * @typedef {"name" | "state" | "weight" | "active" | "sessions" | "in" | "out" | "dial" | "failures"} SortKey
 * @typedef {{ key: SortKey, direction: "ascending" | "descending" }} Order
 */

/** What needs attention comes first. */
const STATE_RANK = /** @type {Record<BackendState, number>} */ ({
  down: 0,
  ejected: 1,
  draining: 2,
  disabled: 3,
  leaving: 4,
  up: 5,
});

/** @type {Record<SortKey, (row: Sortable) => string | number | null>} */
const VALUES = {
  name: ({ backend }) => backend.name,
  state: ({ backend }) => STATE_RANK[backend.state],
  weight: ({ backend }) => backend.effective_weight,
  active: ({ backend }) => backend.active,
  sessions: ({ rates }) => rates.sessions,
  in: ({ rates }) => rates.bytesIn,
  out: ({ rates }) => rates.bytesOut,
  dial: ({ backend }) => backend.dial_ms,
  failures: ({ backend }) => backend.dial_failures_total,
};

/**
 * @param {string} key
 * @return {key is SortKey}
 */
export function isSortKey(key) {
  return Object.hasOwn(VALUES, key);
}

const collator = new Intl.Collator("en", { numeric: true });

/**
 * The order after a click on a column: its natural one, then the opposite, then that of the configuration.
 *
 * @param {Order | null} order
 * @param {SortKey} key
 * @return {Order | null}
 */
export function nextOrder(order, key) {
  const natural = key === "name" || key === "state" ? "ascending" : "descending";
  if (order?.key !== key) return { key, direction: natural };
  if (order.direction !== natural) return null;
  return { key, direction: natural === "ascending" ? "descending" : "ascending" };
}

/**
 * As in the configuration, but for those that fail: these are what one looks for.
 *
 * @template {Sortable} T
 * @param {readonly T[]} rows
 * @return {readonly T[]}
 */
function failingFirst(rows) {
  const isFailing = (/** @type {T} */ { backend }) => backend.state === "down" || backend.state === "ejected";
  return [...rows.filter(isFailing), ...rows.filter((row) => !isFailing(row))];
}

/**
 * The rows in an order; those that are equal stay as in the configuration, those without a value come last.
 *
 * @template {Sortable} T
 * @param {readonly T[]} rows
 * @param {Order | null} order
 * @return {readonly T[]}
 */
export function inOrder(rows, order) {
  if (order === null) return failingFirst(rows);
  const value = VALUES[order.key];
  const sign = order.direction === "ascending" ? 1 : -1;
  return rows
    .map((row) => ({ row, value: value(row) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null);
      if (typeof a.value === "string") return sign * collator.compare(a.value, String(b.value));
      return sign * (a.value - Number(b.value));
    })
    .map(({ row }) => row);
}
