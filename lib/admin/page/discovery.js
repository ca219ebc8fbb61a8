// @ts-check

/** Where the backends of a pool are discovered, and what keeps that from working. */

import { setAttribute, setHidden } from "./dom.js";
import { formatCount, formatSpan } from "./format.js";

/** @import { Pool } from "./api.js" */
/** @import { Parts } from "./dom.js" */

/**
 * @param {Parts} parts
 * @param {Pool["discovery"]} discovery
 * @param {number} nowMs
 */
export function showDiscovery(parts, discovery, nowMs) {
  const mark = parts.get("discovery");
  setHidden(mark, discovery === null);
  if (discovery === null) return;
  const { source, members, trouble, since, refused } = discovery;
  const isWell = trouble === "" && refused.length === 0;
  setAttribute(mark, "data-discovery", trouble !== "" ? "failing" : isWell ? "well" : "partly");
  const facts = [source, `${formatCount(members)} discovered`];
  if (trouble !== "") facts.push(`failing for ${formatSpan((nowMs - Date.parse(since)) / 1000)}: ${trouble}`);
  else if (!isWell) facts.push(`${formatCount(refused.length)} left out: ${refused[0]}`);
  parts.put("source", facts.join(" · "));
  setAttribute(mark, "title", refused.join("\n"));
}
