/** Whether a configuration fits the scoreboard, told before anything is started. */

import type { Config } from "../config/schema.ts";
import { QUEUE_CELLS } from "../pool/queue.ts";
import { MAX_ROWS, rowsFor } from "../pool/scoreboard.ts";

/** The row that counts all sessions, for the limit that open files set. */
const OWN_ROWS = 1;

/** How many rows of the scoreboard a configuration takes: what plan.ts gives out. */
export function countRows({ listeners, pools }: Pick<Config, "listeners" | "pools">): number {
  const inPools = Object.values(pools).map(({ backends, queue }) => {
    return 1 + backends.length + (queue.size === 0 ? 0 : rowsFor(QUEUE_CELLS));
  });
  return 2 * listeners.length + inPools.reduce((sum, rows) => sum + rows, 0);
}

/** Why a configuration is too large to be run, in one sentence; undefined when it is not. */
export function whyTooLarge(config: Pick<Config, "listeners" | "pools">): string | undefined {
  const rows = countRows(config) + OWN_ROWS;
  if (rows <= MAX_ROWS) return undefined;
  return `too many listeners, pools, queues and backends: they take ${rows} rows of shared memory, ` +
    `of which there are ${MAX_ROWS}; a backend takes one`;
}
