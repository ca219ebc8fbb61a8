import type { Keepalive } from "../engine/contract.ts";
import type { Pool } from "../pool/pool.ts";
import type { ListenerRow, SessionsRow } from "../pool/row.ts";
import type { SessionLimits } from "./timeouts.ts";

/** What all sessions of a listener share. */
export interface ListenerContext {
  /** The row of the listener on the scoreboard. */
  readonly row: ListenerRow;
  /** The row for the count of its sessions. */
  readonly sessionsRow: SessionsRow;
  /** The listener's name. */
  readonly name: string;
  readonly pool: Pool;
  readonly limits: SessionLimits;
  readonly keepalive: Keepalive;
}
