// @ts-check

/** What is searched, sorted and shown stands in the address, so that it outlives a reload and can be sent to a colleague. */

/** @return {URLSearchParams} */
function read() {
  return new URLSearchParams(location.hash.slice(1));
}

/**
 * What the address says under a name; empty when it says nothing.
 *
 * @param {string} name
 */
export function remembered(name) {
  return read().get(name) ?? "";
}

/**
 * Puts it into the address, without a step in the history of the browser.
 *
 * @param {string} name
 * @param {string} value Empty takes it out.
 */
export function remember(name, value) {
  const parts = read();
  if (value === "") parts.delete(name);
  else parts.set(name, value);
  const hash = parts.toString();
  const { pathname, search } = location;
  globalThis.history.replaceState(null, "", `${pathname}${search}${hash === "" ? "" : `#${hash}`}`);
}
