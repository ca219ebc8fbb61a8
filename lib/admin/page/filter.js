// @ts-check

/** Which backends are shown: a search, and only those that are not up. */

import { remember, remembered } from "./address.js";
import { byId, byIdAs, setText } from "./dom.js";
import { formatCount } from "./format.js";

/** @import { BackendRow } from "./backend_row.js" */

/**
 * @param {(filter: (row: BackendRow) => boolean) => number} apply Shows those that pass and returns how many they are.
 */
export function createFilter(apply) {
  const search = byIdAs("search", HTMLInputElement);
  const notUp = byIdAs("not-up", HTMLInputElement);
  let total = 0;

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    const shown = apply((row) => (!notUp.checked || row.backend.state !== "up") && passes(row, words));
    const filtered = words.length > 0 || notUp.checked;
    setText(byId("shown"), filtered ? `${formatCount(shown)} of ${formatCount(total)} shown` : "");
  };
  search.value = remembered("q");
  notUp.checked = remembered("not-up") !== "";
  search.addEventListener("input", () => {
    remember("q", search.value.trim());
    filter();
  });
  notUp.addEventListener("change", () => {
    remember("not-up", notUp.checked ? "1" : "");
    filter();
  });

  return {
    /** @param {number} backends How many there are now. */
    update(backends) {
      total = backends;
      filter();
    },
  };
}

/**
 * Whether each of the words is in what stands in the row, or in the name of its pool.
 *
 * @param {BackendRow} row
 * @param {readonly string[]} words
 */
function passes({ pool, backend }, words) {
  if (words.length === 0) return true;
  const text = [pool, backend.name, backend.address, backend.state, backend.reason].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}
