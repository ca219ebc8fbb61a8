import type { Keepalive } from "../engine/contract.ts";
import type { Pool } from "../pool/pool.ts";
import type { ListenerRow, SessionsRow } from "../pool/row.ts";
import type { GreetingPlan } from "./greeting.ts";
import type { SessionPaces } from "./pacing.ts";
import type { SessionLimits } from "./timeouts.ts";

/** What all sessions of a listener share. */
export interface ListenerContext {
  /** The row of the listener on the scoreboard. */
  readonly row: ListenerRow;
  /** The row for the count of its sessions. */
  readonly sessionsRow: SessionsRow;
  /** The listener's name. */
  readonly name: string;
  /** Where its sessions go that no route leads elsewhere; undefined refuses them. */
  readonly pool: Pool | undefined;
  /** Undefined where a session is routed at once. */
  readonly greeting: GreetingPlan | undefined;
  readonly limits: SessionLimits;
  readonly keepalive: Keepalive;
  /** Makes what a session moves bytes by; undefined where there is no limit. */
  readonly pace?: (() => SessionPaces) | undefined;
}
