/** Who may come in at a listener: as many as its limit, and the open files of the whole program, allow. */

import { TICK_MS } from "../core/coarse_clock.ts";
import type { Limiter } from "../engine/contract.ts";
import type { Ledger } from "../pool/ledger.ts";
import type { FilesRow, ListenerRow } from "../pool/row.ts";
import type { Scoreboard } from "../pool/scoreboard.ts";

export interface LimiterOptions {
  readonly scoreboard: Scoreboard;
  readonly ledger: Ledger;
  readonly row: ListenerRow;
  /** Over all workers; 0 is no limit. */
  readonly maxConnections: number;
  /** Counts the sessions of all listeners, and has the limit that open files set. */
  readonly filesRow: FilesRow;
  /** Told when that limit keeps a connection out. */
  readonly onFilesWanted: () => void;
}

export function sharedLimiter(options: LimiterOptions): Limiter {
  const { scoreboard, ledger, row, maxConnections, filesRow, onFilesWanted } = options;
  return {
    enter: () => {
      if (!ledger.take(row, maxConnections)) return false;
      if (ledger.take(filesRow, scoreboard.limit(filesRow))) return true;
      ledger.giveBack(row);
      onFilesWanted();
      return false;
    },
    leave: () => {
      ledger.giveBack(row);
      if (maxConnections > 0) scoreboard.tellLowered(row);
      const limit = scoreboard.limit(filesRow);
      // Only then may another one wait for it.
      if (ledger.giveBack(filesRow) >= limit && limit > 0) scoreboard.tellLowered(filesRow);
    },
    freed: () => {
      const limit = scoreboard.limit(filesRow);
      const isFull = limit > 0 && scoreboard.count(filesRow) >= limit;
      return isFull
        ? scoreboard.lowered(filesRow, scoreboard.count(filesRow), TICK_MS)
        : scoreboard.lowered(row, maxConnections, TICK_MS);
    },
  };
}
