// @ts-check

/** Short messages at the edge of the page, read aloud politely. */

import { byId, partsOf, setAttribute, stamp } from "./dom.js";

const SHOWN_MS = 8_000;
const MAX_TOASTS = 4;

/**
 * @param {string} message
 * @param {"done" | "problem"} kind A problem stays until it is dismissed.
 */
export function showToast(message, kind) {
  const toasts = byId("toasts");
  const { root: toast, get, put } = partsOf(stamp("toast"));
  put("message", message);
  setAttribute(toast, "data-kind", kind);
  get("dismiss").addEventListener("click", () => toast.remove());
  toasts.append(toast);
  while (toasts.children.length > MAX_TOASTS) toasts.firstElementChild?.remove();
  if (kind === "done") expire(toast);
}

/**
 * Takes a message away, but not while the pointer or the focus is in it.
 *
 * @param {HTMLElement} toast
 */
function expire(toast) {
  setTimeout(() => {
    if (toast.matches(":hover, :focus-within")) expire(toast);
    else toast.remove();
  }, SHOWN_MS);
}
