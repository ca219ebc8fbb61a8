/** What the two planes say to each other. Everything else they share is on the scoreboard. */

import type { Address, IpAddress } from "../core/address.ts";
import type { SocketFile } from "../core/socket_file.ts";
import type { Confinement, Reach } from "../engine/confinement.ts";
import type { Keepalive } from "../engine/contract.ts";
import type { TlsKeys } from "../engine/tls_contract.ts";
import type { PoolChange, PoolOptions } from "../pool/pool.ts";
import type { BackendRow, FilesRow, ListenerRow, PoolRow, SessionsRow } from "../pool/row.ts";
import type { TallyEntry } from "../pool/tally.ts";
import type { Denials } from "./denials.ts";
import type { FlowSum } from "./flow_sums.ts";
import type { GreetingOptions } from "./greeting_plan.ts";
import type { ThreadShare } from "../engine/epoll/thread_share.ts";
import type { RateLimit } from "./pacing.ts";
import type { EndReason, RecordedSessions, SessionRecord } from "./record.ts";
import type { SessionLimits } from "./timeouts.ts";

/** What bounds the flows of a listener for datagrams. */
export interface FlowOptions {
  /** Over all workers. When there are so many, the one that was idle for longest makes room. */
  readonly maxFlows: number;
  /** A flow is over when so many datagrams have answered each one of its client; 0 where that is not known. */
  readonly responses: number;
}

/** A listener as a worker needs it. */
export interface ListenerOptions {
  /** Its row on the scoreboard, for the places that are taken: one also waits for the next connection in each worker. */
  readonly row: ListenerRow;
  /** Its row for the sessions that there are. */
  readonly sessionsRow: SessionsRow;
  readonly name: string;
  /** By IP address and settled port, or socket path; for a worker, where it is bound. */
  readonly address: Address;
  /** Its other sockets, where it has more than one; see all_addresses.ts. */
  readonly alsoAt?: readonly Address[];
  /** Its listening descriptors, for an engine that is given them. */
  readonly sockets?: readonly number[];
  /** The row of the pool of sessions that no route leads elsewhere; undefined refuses them. */
  readonly pool: PoolRow | undefined;
  /** What is asked of clients before they are routed; undefined where they are routed at once. */
  readonly greeting?: GreetingOptions;
  /** Whether TLS is opened on either side of its sessions, which needs an engine that can. */
  readonly opensTls?: boolean;
  /** Of a listener for datagrams; undefined where it accepts connections. */
  readonly flows?: FlowOptions;
  /** Over all workers; 0 is no limit. */
  readonly maxConnections: number;
  readonly backlog: number;
  /** The file of a Unix socket; undefined where it is as it comes. */
  readonly file?: SocketFile;
  /** For the connections to its clients, and of its sessions to backends. */
  readonly keepalive: Keepalive;
  readonly limits: SessionLimits;
  /** How fast its sessions may move bytes; undefined where there is no limit. */
  readonly rateLimit?: RateLimit;
}

/** Clients that have flows at a listener, which is known by its address, as it is written. */
export interface FlowsAt {
  readonly listener: string;
  readonly clients: readonly string[];
}

/** What one worker has received for a flow of another. */
export interface PassedDatagram {
  readonly listener: string;
  readonly client: IpAddress;
  readonly bytes: Uint8Array;
}

/** All sockets of a listener, the first first. */
export function socketsOf({ address, alsoAt = [] }: ListenerOptions): Address[] {
  return [address, ...alsoAt];
}

/** Which engine a worker has, and what the process gives it for that. */
export type EngineOptions =
  | { readonly kind: "runtime" }
  | ThreadShare & {
    readonly kind: "epoll";
    /** What it needs once it is confined. */
    readonly reach: Reach;
    /** Whether it is not to start where the kernel lacks a part of that. */
    readonly isConfinementRequired: boolean;
  };

/** Keys by the names of listeners and pools; those that have none are missing. */
export interface AllTlsKeys {
  readonly listeners: ReadonlyMap<string, TlsKeys>;
  readonly pools: ReadonlyMap<string, TlsKeys>;
}

export const NO_TLS_KEYS: AllTlsKeys = { listeners: new Map(), pools: new Map() };

/** All that a data-plane worker is told. */
export interface PlaneOptions {
  /** The worker's number, which no other living one has. */
  readonly worker: number;
  /** Put before a count, makes session ids that no other worker of this or another run makes. */
  readonly sessionIdPrefix: string;
  readonly engine: EngineOptions;
  readonly listeners: readonly ListenerOptions[];
  readonly pools: readonly PoolOptions[];
  readonly keys: AllTlsKeys;
  readonly scoreboard: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  /** The memory of the table of sources and of this worker's ledger of it; undefined where no listener limits sources. */
  readonly sources?: { readonly table: SharedArrayBuffer; readonly ledger: SharedArrayBuffer };
  /** The row that counts the sessions of all listeners, and has the limit that open files set. */
  readonly filesRow: FilesRow;
  readonly recordSessions: RecordedSessions;
  /** Whether the control plane wants to know what sessions add up to. */
  readonly tallySessions: boolean;
}

/** An active session, as the admin side shows it. */
export interface LiveSessionFacts {
  readonly id: string;
  readonly listener: string;
  /** Null until it is routed. */
  readonly pool: string | null;
  readonly client: string;
  /** Null while it waits or dials. */
  readonly backend: string | null;
  readonly age_ms: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  /** Whether bytes of it wait for a rate limit. */
  readonly rate_limited: boolean;
}

/** Which sessions are asked for; what is undefined does not matter. */
export interface LiveSessionFilter {
  readonly listener?: string | undefined;
  readonly pool?: string | undefined;
  readonly backend?: string | undefined;
  /** Part of the client's address. */
  readonly client?: string | undefined;
}

export type ToWorker =
  /** Listen, which `listening` answers. */
  | { readonly type: "start"; readonly options: PlaneOptions }
  /** Begin to accept: all that has to be there for it is there. */
  | { readonly type: "accept" }
  /** Begin to read datagrams too: older workers read no more, and have these flows. */
  | { readonly type: "take_over"; readonly flows: readonly FlowsAt[] }
  /** Older workers have these flows no more. */
  | { readonly type: "flows_over"; readonly flows: readonly FlowsAt[] }
  /** So many datagrams that were passed on have arrived. */
  | { readonly type: "passed_on"; readonly count: number }
  /** Handle what others have received for flows of this worker. */
  | { readonly type: "deliver"; readonly datagrams: readonly PassedDatagram[] }
  /** End so many flows at this listener, those that are idle for longest. */
  | { readonly type: "make_room"; readonly listener: string; readonly count: number }
  /**
   * Stop accepting, which `closed` answers; `drained` follows when the last session has ended. Datagrams that come to the addresses in
   * `readElsewhere` are read by other workers from then on.
   */
  | { readonly type: "drain"; readonly isReplaced: boolean; readonly readElsewhere: readonly string[] }
  /** Of one that drains: other workers read datagrams at these addresses too from now on. */
  | { readonly type: "read_elsewhere"; readonly listeners: readonly string[] }
  /** End the sessions that are left; `drained` answers. */
  | { readonly type: "close" }
  /** Apply these changes; `adjusted` answers. Other pools stay as they are. */
  | { readonly type: "adjust"; readonly request: number; readonly pools: readonly PoolChange[] }
  /** Use these keys for the connections to come; `adjusted` answers. */
  | { readonly type: "renew"; readonly request: number; readonly keys: AllTlsKeys }
  /** List active sessions, the oldest first, at most `limit`; `live_sessions` answers. */
  | {
    readonly type: "list_sessions";
    readonly request: number;
    readonly limit: number;
    readonly filter: LiveSessionFilter;
  }
  /** End the session with this id; `session_ended` says whether there was one. */
  | {
    readonly type: "end_session";
    readonly request: number;
    readonly id: string;
    readonly reason: EndReason;
  }
  /** End the sessions at a backend, known by its row, for this reason. */
  | { readonly type: "end_sessions"; readonly backend: BackendRow; readonly reason: EndReason };

export type FromWorker =
  | { readonly type: "listening"; readonly confinement: Confinement }
  /** Has stopped to read at addresses that others read, and keeps these flows; comes before `closed`. */
  | { readonly type: "handed_over"; readonly flows: readonly FlowsAt[] }
  /** Some of these are over. */
  | { readonly type: "flows_over"; readonly flows: readonly FlowsAt[] }
  /** Datagrams for flows of other workers; `passed_on` answers. */
  | { readonly type: "pass_on"; readonly datagrams: readonly PassedDatagram[] }
  /** So many flows found no room at this listener, and this worker has none, or few, that could make it. */
  | { readonly type: "room_wanted"; readonly listener: string; readonly count: number }
  /** Accepts no more connections, and begins no more flows. */
  | { readonly type: "closed" }
  /** The worker is of no more use; it has ended, or could not begin. */
  | { readonly type: "died"; readonly reason: string }
  | { readonly type: "sessions"; readonly records: readonly SessionRecord[] }
  /** Clients that were turned away since the last such message. */
  | { readonly type: "denials"; readonly denials: readonly Denials[] }
  /** Flows that have left no record since the last such message. */
  | { readonly type: "flow_sums"; readonly sums: readonly FlowSum[] }
  /** Sums since the last such message, and the largest event-loop lag since then, in ms. */
  | { readonly type: "tally"; readonly entries: readonly TallyEntry[]; readonly lagMs: number }
  | {
    readonly type: "live_sessions";
    readonly request: number;
    readonly sessions: readonly LiveSessionFacts[];
  }
  | { readonly type: "adjusted"; readonly request: number }
  | { readonly type: "session_ended"; readonly request: number; readonly found: boolean }
  /** A backend has reached its pool's limit of consecutive failures. */
  | { readonly type: "failing"; readonly backend: BackendRow }
  /** The limit that open files set was reached. */
  | { readonly type: "files_wanted" }
  | { readonly type: "warning"; readonly event: string; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly type: "drained"; readonly closedSessions: number };
