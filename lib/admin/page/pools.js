// @ts-check

/** The pools, each a table of its backends. */

import { remember, remembered } from "./address.js";
import { createBackendRow } from "./backend_row.js";
import { showCertificates } from "./certificates.js";
import { showDiscovery } from "./discovery.js";
import { byId, partsOf, setAttribute, setHidden, setOrder, stamp } from "./dom.js";
import { formatCount } from "./format.js";
import { inOrder, isSortKey, nextOrder } from "./order.js";

/** @import { Backend, Pool, Status } from "./api.js" */
/** @import { BackendRow } from "./backend_row.js" */
/** @import { Order, SortKey } from "./order.js" */
/** @import { followRates } from "./rates.js" */

/**
 * @typedef {{ pool: string, backend: Backend }} Target
 * @typedef {(row: BackendRow) => boolean} Filter
 * @typedef {ReturnType<typeof createPool>} PoolTable
 * @typedef {ReturnType<typeof followRates>} RateFollower
 */

/**
 * @param {(row: Target, button: HTMLElement) => void} onMenu A backend is to be changed, or a whole pool.
 */
export function createPools(onMenu) {
  const container = byId("pools");
  /** @type {Map<string, PoolTable>} */
  const tables = new Map();

  return {
    /**
     * @param {Status} status
     * @param {RateFollower} rates
     */
    update(status, rates) {
      const names = new Set(status.pools.map((pool) => pool.name));
      for (const [name, table] of tables) {
        if (names.has(name)) continue;
        table.element.remove();
        tables.delete(name);
      }
      for (const pool of status.pools) {
        let table = tables.get(pool.name);
        if (table === undefined) tables.set(pool.name, table = createPool(pool, onMenu));
        table.update(pool, rates, Date.parse(status.now));
      }
      setOrder(
        container,
        [...status.pools].sort((a, b) => Number(a.available > 0) - Number(b.available > 0)).map((pool) =>
          /** @type {PoolTable} */ (tables.get(pool.name)).element
        ),
      );
    },

    /**
     * Shows only some backends, and returns how many those are.
     *
     * @param {Filter} wanted
     */
    filter(wanted) {
      let shown = 0;
      for (const table of tables.values()) shown += table.filter(wanted);
      return shown;
    },
  };
}

/**
 * @param {Pool} pool
 * @param {(row: Target, button: HTMLElement) => void} onMenu
 */
function createPool(pool, onMenu) {
  const { name } = pool;
  const parts = partsOf(stamp("pool"));
  const { root: element, get, put } = parts;
  const body = get("rows");
  const headers = [...element.querySelectorAll("th[data-sort]")];
  /** @type {Map<string, BackendRow>} */
  const rows = new Map();
  /** @type {BackendRow[]} */
  let configured = [];
  /** @type {WeakMap<Element, BackendRow>} */
  const rowOf = new WeakMap();
  /** @type {Order | null} */
  let order = orderOf(remembered(`sort.${name}`));
  /** @type {Pool | null} */
  let current = null;

  // On a phone what is well is folded, so that the rest is near.
  if (isAllUp(pool) && matchMedia("(max-width: 40rem)").matches) element.removeAttribute("open");
  put("name", name);
  put("caption", `Backends of the pool ${name}`);

  const arrange = () => setOrder(body, inOrder(configured, order).map((row) => row.element));

  const showOrder = () => {
    for (const it of headers) {
      const isIt = it instanceof HTMLElement && it.dataset.sort === order?.key;
      setAttribute(it, "aria-sort", isIt && order !== null ? order.direction : "none");
    }
  };
  showOrder();

  element.addEventListener("click", ({ target }) => {
    if (!(target instanceof Element)) return;
    const header = target.closest("th[data-sort] button")?.closest("th");
    if (header) {
      order = nextOrder(order, /** @type {SortKey} */ (header.dataset.sort));
      remember(`sort.${name}`, order === null ? "" : `${order.key}.${order.direction}`);
      showOrder();
      arrange();
      return;
    }
    const button = target.closest("[data-part=menu]");
    const row = rowOf.get(button?.closest("tr") ?? body);
    if (button instanceof HTMLElement && row) onMenu(row, button);
    const whole = target.closest("[data-part=pool-menu]");
    if (whole instanceof HTMLElement && current !== null) onMenu(wholePool(current), whole);
  });

  return {
    element,

    /**
     * @param {Pool} pool
     * @param {RateFollower} rates
     * @param {number} nowMs
     */
    update(pool, rates, nowMs) {
      const names = new Set(pool.backends.map((backend) => backend.name));
      let added = false;
      for (const [name, row] of rows) {
        if (names.has(name)) continue;
        row.element.remove();
        rows.delete(name);
      }
      configured = pool.backends.map((backend) => {
        let row = rows.get(backend.name);
        if (row === undefined) {
          added = true;
          rows.set(backend.name, row = createBackendRow(pool.name, backend));
          rowOf.set(row.element, row);
        }
        row.update(
          backend,
          rates.backend(pool.name, backend.name),
          nowMs,
        );
        return row;
      });
      // Rows do not move under a pointer or the keyboard's focus.
      if (added || order === null || !body.matches(":hover, :focus-within")) arrange();
      put("facts", poolFacts(pool));
      showCertificates(parts, pool.certificates, nowMs);
      showDiscovery(parts, pool.discovery, nowMs);
      setHidden(get("pool-menu"), pool.backends.length === 0);
      setAttribute(element, "data-empty", String(pool.available === 0 && !pool.leaving));
      current = pool;
    },

    /** @param {Filter} wanted */
    filter(wanted) {
      let shown = 0;
      for (const row of rows.values()) {
        const wants = wanted(row);
        setHidden(row.element, !wants);
        if (wants) shown++;
      }
      setHidden(element, shown === 0 && rows.size > 0);
      return shown;
    },
  };
}

/**
 * All backends of a pool as one: the API takes `*` for them.
 *
 * @param {Pool} pool
 * @return {Target}
 */
function wholePool(pool) {
  const [first] = pool.backends;
  if (first === undefined) throw new Error(`Cannot change ${pool.name}: it has no backend`);
  const states = new Set(pool.backends.map(({ operator }) => operator));
  return {
    pool: pool.name,
    backend: {
      ...first,
      name: "*",
      active: pool.backends.reduce((sum, { active }) => sum + active, 0),
      operator: states.size === 1 ? first.operator : "draining",
      configured_weight: first.weight,
      leaving: pool.leaving ?? false,
    },
  };
}

/** @param {Pool} pool */
function isAllUp(pool) {
  return pool.backends.every(({ state }) => state === "up");
}

/**
 * @param {string} text
 * @return {Order | null}
 */
function orderOf(text) {
  const [key = "", direction = ""] = text.split(".");
  if (!isSortKey(key) || (direction !== "ascending" && direction !== "descending")) return null;
  return { key, direction };
}

/** @param {Pool} pool */
function poolFacts(pool) {
  const facts = [
    pool.algorithm.replaceAll("_", " "),
    `${formatCount(pool.available)} of ${formatCount(pool.backends.length)} available`,
  ];
  if (pool.leaving) facts.push("gone from the configuration");
  if (pool.refused_total > 0) facts.push(`${formatCount(pool.refused_total)} refused`);
  if (pool.retries_total > 0) facts.push(`${formatCount(pool.retries_total)} retries`);
  if (pool.queue_size > 0 || pool.queued > 0) {
    facts.push(`${formatCount(pool.queued)} of ${formatCount(pool.queue_size)} queued`);
  }
  return facts.join(" · ");
}
