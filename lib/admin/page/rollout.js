// @ts-check

/** A configuration in etcd: what became of its last change, and since when etcd cannot be asked. */

import { byId, setAttribute, setHidden, setText } from "./dom.js";
import { formatSpan } from "./format.js";

/** @import { Status } from "./api.js" */

/** @param {Status} status */
export function showRollout({ rollout, now }) {
  const banner = byId("rollout");
  // An older balancer has none.
  const sentences = rollout ? rolloutSentences(rollout, Date.parse(now)) : [];
  setHidden(banner, sentences.length === 0);
  setText(banner, sentences.join(" "));
  const revision = rollout?.revision ? `, revision ${rollout.revision} in etcd` : "";
  setAttribute(byId("config"), "title", rollout ? `digest ${rollout.digest}${revision}` : "");
}

/**
 * @param {NonNullable<Status["rollout"]>} rollout
 * @param {number} nowMs
 */
function rolloutSentences({ state, revision, reason, canaries, trouble, trouble_since }, nowMs) {
  const changed = `The configuration of revision ${revision}`;
  const names = canaries.map(({ name }) => name).join(", ");
  const sentences = {
    in_force: "",
    changed: `${changed} is not in force until the next reload.`,
    waiting: `${changed} is tried by ${names}; the one before is in force here.`,
    trying: `${changed} is tried here before the others have it.`,
    stopped: `${changed} has failed: ${reason}. The one before is in force.`,
    failed: `${changed} cannot be put into force here: ${reason}.`,
  };
  const since = trouble_since === null ? 0 : (nowMs - Date.parse(trouble_since)) / 1000;
  const away = `etcd cannot be asked for ${formatSpan(since)}: ${trouble}. Everything goes on as it is.`;
  return [sentences[state], trouble_since === null ? "" : away].filter((it) => it !== "");
}
