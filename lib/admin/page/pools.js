// @ts-check

/** The pools, each a table of its backends. */

import { createBackendRow } from "./backend_row.js";
import { byId, partsOf, setAttribute, setHidden, setOrder, stamp } from "./dom.js";
import { formatCount } from "./format.js";
import { inOrder, nextOrder } from "./order.js";

/** @import { Pool, Status } from "./api.js" */
/** @import { BackendRow } from "./backend_row.js" */
/** @import { Order, SortKey } from "./order.js" */
/** @import { followRates } from "./rates.js" */

/**
 * @typedef {(row: BackendRow) => boolean} Filter
 * @typedef {ReturnType<typeof createPool>} PoolTable
 * @typedef {ReturnType<typeof followRates>} RateFollower
 */

/**
 * @param {(row: BackendRow, button: HTMLElement) => void} onMenu Somebody wants to change a backend.
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
        if (table === undefined) tables.set(pool.name, table = createPool(pool.name, onMenu));
        table.update(pool, rates, Date.parse(status.now));
      }
      setOrder(
        container,
        status.pools.map((pool) => /** @type {PoolTable} */ (tables.get(pool.name)).element),
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
 * @param {string} name
 * @param {(row: BackendRow, button: HTMLElement) => void} onMenu
 */
function createPool(name, onMenu) {
  const { root: element, get, put } = partsOf(stamp("pool"));
  const body = get("rows");
  const headers = [...element.querySelectorAll("th[data-sort]")];
  /** @type {Map<string, BackendRow>} */
  const rows = new Map();
  /** @type {BackendRow[]} */
  let configured = [];
  /** @type {WeakMap<Element, BackendRow>} */
  const rowOf = new WeakMap();
  /** @type {Order | null} */
  let order = null;

  put("name", name);
  put("caption", `Backends of the pool ${name}`);

  const arrange = () => setOrder(body, inOrder(configured, order).map((row) => row.element));

  element.addEventListener("click", ({ target }) => {
    if (!(target instanceof Element)) return;
    const header = target.closest("th[data-sort] button")?.closest("th");
    if (header) {
      order = nextOrder(order, /** @type {SortKey} */ (header.dataset.sort));
      for (const it of headers) {
        setAttribute(it, "aria-sort", it === header && order !== null ? order.direction : "none");
      }
      arrange();
      return;
    }
    const button = target.closest("[data-part=menu]");
    const row = rowOf.get(button?.closest("tr") ?? body);
    if (button instanceof HTMLElement && row) onMenu(row, button);
  });

  return {
    element,

    /**
     * @param {Pool} pool
     * @param {RateFollower} rates
     * @param {number} nowMs
     */
    update(pool, rates, nowMs) {
      const busiest = Math.max(1, ...pool.backends.map((backend) => backend.active));
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
          backend.max_connections || busiest,
          nowMs,
        );
        return row;
      });
      // Rows do not move under a pointer or the keyboard's focus.
      if (added || order === null || !body.matches(":hover, :focus-within")) arrange();
      put("facts", poolFacts(pool));
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

/** @param {Pool} pool */
function poolFacts(pool) {
  const facts = [
    pool.algorithm.replaceAll("_", " "),
    `${formatCount(pool.available)} of ${formatCount(pool.backends.length)} available`,
  ];
  if (pool.queue_size > 0 || pool.queued > 0) {
    facts.push(`${formatCount(pool.queued)} of ${formatCount(pool.queue_size)} queued`);
  }
  return facts.join(" · ");
}
