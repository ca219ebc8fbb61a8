/** A configuration in etcd, and what became of its last change, as lines of `--status`. Pure. */

import type { RolloutStatus } from "../admin/status.ts";
import { span } from "./span.ts";

export function rolloutLines(rollout: RolloutStatus, now: string): string[] {
  const { digest, revision, trouble, trouble_since } = rollout;
  const what = `digest ${digest}${revision === null ? "" : `, revision ${revision} in etcd`}`;
  const state = stateOf(rollout);
  const lines = state === "" ? [`${what}: in force`] : [what, state];
  if (trouble_since !== null) {
    const seconds = Math.floor((Date.parse(now) - Date.parse(trouble_since)) / 1_000);
    lines.push(`ETCD FAILING for ${span(seconds)}: ${trouble}`);
  }
  return lines;
}

function stateOf({ state, reason, canaries }: RolloutStatus): string {
  const names = canaries.map(({ name }) => name).join(", ");
  switch (state) {
    case "in_force":
      return "";
    case "changed":
      return "CHANGED, and not in force until the next reload";
    case "waiting":
      return `WAITING for ${names} to try it; the one before is in force`;
    case "trying":
      return "TRIED here before the others";
    case "stopped":
      return `STOPPED, the one before is in force: ${reason}`;
    case "failed":
      return `NOT IN FORCE here: ${reason}`;
  }
}
