// @ts-check

/** The last events, newest first. */

import { byId, partsOf, setAttribute, setHidden, stamp } from "./dom.js";
import { formatTime } from "./format.js";

/** @import { Change } from "./api.js" */

const MAX_EVENTS = 50;

export function createEvents() {
  const list = byId("events");
  const none = byId("no-events");

  return {
    /** @param {Change} change */
    add(change) {
      list.prepend(eventItem(change));
      while (list.children.length > MAX_EVENTS) list.lastElementChild?.remove();
      setHidden(none, true);
    },
    /** The balancer sends the recent ones again. */
    clear() {
      list.replaceChildren();
      setHidden(none, false);
    },
  };
}

/** @param {Change} change */
function eventItem(change) {
  const item = partsOf(stamp("event"));
  const { pool, backend, reason, ...others } = change.fields ?? {};
  const subject = [pool, backend].filter((it) => it !== undefined).map(wordOf).join("/");
  const details = Object.entries(others).map(([name, value]) => `${spaced(name)} ${wordOf(value)}`);
  if (reason !== undefined && reason !== "") details.unshift(wordOf(reason));

  const time = new Date(change.time);
  item.put("time", formatTime(time, new Date()));
  setAttribute(item.get("time"), "datetime", change.time);
  item.get("time").title = time.toLocaleString();
  setAttribute(item.root, "data-level", change.level);
  item.put("level", change.level === "warn" ? "warning" : change.level);
  item.put("event", spaced(change.event));
  item.put("subject", subject);
  item.put("details", details.length === 0 ? "" : `· ${details.join(" · ")}`);
  return item.root;
}

/** @param {string} name */
function spaced(name) {
  return name.replaceAll("_", " ");
}

/** @param {unknown} value */
function wordOf(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
