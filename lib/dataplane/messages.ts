/** What the two planes say to each other. Everything else they share is on the scoreboard. */

import type { Address } from "../core/address.ts";
import type { PoolOptions, PoolTuning } from "../pool/pool.ts";
import type { TallyEntry } from "../pool/tally.ts";
import type { EndReason, SessionRecord } from "./record.ts";
import type { SessionLimits } from "./timeouts.ts";

/** A listener as a worker needs it. */
export interface ListenerOptions {
  /** Its row on the scoreboard, for the places that are taken: one also waits for the next connection in each worker. */
  readonly row: number;
  /** Its row for the sessions that there are. */
  readonly sessionsRow: number;
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
  /** The worker's number, which no other living one has. */
  readonly worker: number;
  /** Put before a count, makes session ids that no other worker of this or another run makes. */
  readonly sessionIdPrefix: string;
  readonly listeners: readonly ListenerOptions[];
  readonly pools: readonly PoolOptions[];
  readonly scoreboard: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  /** Whether sessions leave records. */
  readonly recordSessions: boolean;
  /** Whether the control plane wants to know what sessions add up to. */
  readonly tallySessions: boolean;
}

/** A session that goes on, as the admin side shows it. */
export interface LiveSessionFacts {
  readonly listener: string;
  readonly pool: string;
  readonly client: string;
  /** Null while it waits or dials. */
  readonly backend: string | null;
  readonly age_ms: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
}

export type ToWorker =
  | { readonly type: "start"; readonly options: PlaneOptions }
  /**
   * Stop accepting, which `closed` answers; `drained` follows when the last session has ended. Unix sockets with these paths have been taken over
   * by other workers.
   */
  | { readonly type: "drain"; readonly takenOver: readonly string[] }
  /** End the sessions that are left; `drained` answers. */
  | { readonly type: "close" }
  /** Go by these from now on; as many as there are pools, in their order. */
  | { readonly type: "adjust"; readonly pools: readonly PoolTuning[] }
  /** Say which sessions go on, the oldest first, at most so many; `live_sessions` answers. */
  | { readonly type: "list_sessions"; readonly request: number; readonly limit: number }
  /** End the sessions at a backend, known by its row, for this reason. */
  | { readonly type: "end_sessions"; readonly backend: number; readonly reason: EndReason };

export type FromWorker =
  | { readonly type: "listening" }
  /** Accepts no more connections. */
  | { readonly type: "closed" }
  /** The worker is of no more use; it has ended, or could not begin. */
  | { readonly type: "died"; readonly reason: string }
  | { readonly type: "sessions"; readonly records: readonly SessionRecord[] }
  /** What has been added since the last such message, and the most that the clock of the worker was late meanwhile. */
  | { readonly type: "tally"; readonly entries: readonly TallyEntry[]; readonly lagMs: number }
  | {
    readonly type: "live_sessions";
    readonly request: number;
    readonly sessions: readonly LiveSessionFacts[];
  }
  /** A backend, known by its row, has failed as often in a row as its pool bears. */
  | { readonly type: "failing"; readonly backend: number }
  | { readonly type: "warning"; readonly event: string; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly type: "drained"; readonly closedSessions: number };
