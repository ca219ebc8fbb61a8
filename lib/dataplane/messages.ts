/** What the two planes say to each other. Everything else they share is on the scoreboard. */

import type { Address } from "../core/address.ts";
import type { PoolOptions } from "../pool/pool.ts";
import type { ScoreboardShape } from "../pool/scoreboard.ts";
import type { SessionRecord } from "./record.ts";
import type { SessionLimits } from "./timeouts.ts";

/** A listener as a worker needs it. */
export interface ListenerOptions {
  /** Its row on the scoreboard. */
  readonly row: number;
  readonly name: string;
  /** By IP address and settled port, or socket path. */
  readonly address: Address;
  /** Position of its pool in {@linkcode PlaneOptions.pools}. */
  readonly pool: number;
  /** Over all workers; 0 is no limit. */
  readonly maxConnections: number;
  readonly backlog: number;
  readonly limits: SessionLimits;
}

/** All that a data-plane worker is told. */
export interface PlaneOptions {
  /** The worker's column on the scoreboard. */
  readonly worker: number;
  /** Put before a count, makes session ids that no other worker of this or another run makes. */
  readonly sessionIdPrefix: string;
  readonly listeners: readonly ListenerOptions[];
  readonly pools: readonly PoolOptions[];
  readonly scoreboard: { readonly buffer: SharedArrayBuffer; readonly shape: ScoreboardShape };
  /** Whether sessions leave records. */
  readonly recordSessions: boolean;
}

export type ToWorker =
  | { readonly type: "start"; readonly options: PlaneOptions }
  /** Stop accepting; `drained` answers when the last session has ended. */
  | { readonly type: "drain" }
  /** End the sessions that are left; `drained` answers. */
  | { readonly type: "close" };

export type FromWorker =
  | { readonly type: "listening" }
  /** The worker is of no more use; it has ended, or could not begin. */
  | { readonly type: "died"; readonly reason: string }
  | { readonly type: "sessions"; readonly records: readonly SessionRecord[] }
  | { readonly type: "warning"; readonly event: string; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly type: "drained"; readonly closedSessions: number };
