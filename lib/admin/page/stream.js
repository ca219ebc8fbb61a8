// @ts-check

/** The stream of events, opened again whenever it ends. */

import { apiUrl } from "./api.js";

/** @import { Change, Summary } from "./api.js" */
/** @import { History } from "./history.js" */

/** A summary comes each second; after this long without one the connection is taken for dead. */
const SILENCE_MS = 6_000;

const REOPEN_MS = 2_000;

/**
 * @param {{
 *   onHistory: (history: History) => void,
 *   onSummary: (summary: Summary) => void,
 *   onChange: (change: Change) => void,
 *   onOpen: (open: boolean) => void,
 * }} listener
 */
export function openStream({ onHistory, onSummary, onChange, onOpen }) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };

  const reopenIn = (/** @type {number} */ ms) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      onOpen(false);
      open();
    }, ms);
  };

  const open = () => {
    close();
    const opened = new EventSource(apiUrl("events"));
    source = opened;
    reopenIn(SILENCE_MS);
    /**
     * @param {string} name
     * @param {(data: any) => void} handle
     */
    const on = (name, handle) => {
      opened.addEventListener(name, (event) => {
        if (source !== opened) return;
        reopenIn(SILENCE_MS);
        handle(JSON.parse(event.data));
      });
    };
    on("history", (history) => {
      onOpen(true);
      onHistory(history);
    });
    on("summary", onSummary);
    on("change", onChange);
    opened.addEventListener("error", () => {
      if (source !== opened) return;
      onOpen(false);
      // The browser tries again by itself, except after an answer that was an error.
      if (opened.readyState === EventSource.CLOSED) reopenIn(REOPEN_MS);
    });
  };

  return { open, close };
}
