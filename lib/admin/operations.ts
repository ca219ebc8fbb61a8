/**
 * What the admin side may ask of a running balancer and tell it to do; the control plane provides it.
 *
 * The names of fields are those of the API, so they are snake_case. Nothing here blocks or waits for the data plane,
 * except where it says so.
 */

import type { SocketFile } from "../core/socket_file.ts";
import type { HistogramView } from "../pool/histogram.ts";
import type { Status } from "./status.ts";

/** A session that goes on. */
export interface SessionStatus {
  /** That of its record. */
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
  /** Whether bytes of it wait for the rate limit of its listener, or datagrams of it were dropped in the last second. */
  readonly rate_limited: boolean;
}

/** Which sessions are asked for; what is undefined does not matter. */
export interface SessionFilter {
  readonly listener?: string | undefined;
  readonly pool?: string | undefined;
  readonly backend?: string | undefined;
  /** Part of the client's address. */
  readonly client?: string | undefined;
}

/** One second of the balancer. */
export interface Summary {
  /** Seconds since 1970. */
  readonly time: number;
  readonly active: number;
  readonly sessions_per_s: number;
  /** Sessions that were not served, or lost with their backend, by end reason; those that did not happen are left out. */
  readonly refused_per_s: Readonly<Record<string, number>>;
  readonly retries_per_s: number;
  readonly bytes_in_per_s: number;
  readonly bytes_out_per_s: number;
  /** Mean dial time by `pool/backend`, of at most 20 backends; null when none was dialled. */
  readonly dial_ms: Readonly<Record<string, number | null>>;
}

/** Something that has changed: a record of the log about a backend, a reload, a worker or an operator. */
export interface Change {
  /** ISO 8601. */
  readonly time: string;
  readonly level: "info" | "warn" | "error";
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What sessions that came in through a listener and went to a backend add up to. */
export interface Totals {
  readonly listener: string;
  readonly pool: string;
  /** Null for sessions that reached none. */
  readonly backend: string | null;
  /** Sessions by how they ended. */
  readonly ends: Readonly<Record<string, number>>;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly dial_failures: number;
  readonly retries: number;
  /** Sessions that this machine had no descriptor, local port or memory to dial it for. */
  readonly short_dials: number;
  /** Of UDP: datagrams that were dropped, since they were above a rate limit, or since there was no room for them. */
  readonly datagrams_over_limit: number;
  readonly datagrams_without_room: number;
  readonly dial_seconds: HistogramView;
  readonly session_seconds: HistogramView;
  readonly queue_seconds: HistogramView;
}

/** What only metrics show of a backend. */
export interface BackendCounts {
  readonly pool: string;
  readonly backend: string;
  readonly checks_ok: number;
  readonly checks_failed: number;
  /** Not made, since this machine had no descriptor, local port or memory for them. */
  readonly checks_short: number;
  readonly ejections: number;
  /** Changes of its state, of whatever kind. */
  readonly state_changes: number;
}

export interface Counts {
  readonly totals: readonly Totals[];
  readonly backends: readonly BackendCounts[];
  readonly reloads_ok: number;
  readonly reloads_failed: number;
}

/** What became of a reload. */
export type Reloaded =
  | {
    readonly ok: true;
    readonly message: string;
    /** What of the file is not in force, and why; the message says it as well. */
    readonly notes?: readonly string[];
  }
  /** Nothing has changed. */
  | { readonly ok: false; readonly message: string; readonly faults: readonly string[] };

/** What the operator wants of a backend. */
export type Order =
  | { readonly do: "enable" | "disable" | "kill" }
  /** With a deadline, the sessions that are left then are ended. */
  | { readonly do: "drain"; readonly deadlineMs: number | undefined }
  | { readonly do: "weight"; readonly weight: number };

/** What became of a change of the members of a pool. */
export type MemberChanged =
  | { readonly message: string; readonly refused?: undefined }
  /** Nothing has changed: what was asked for cannot be read, is not there, or goes against something that is. */
  | { readonly message: string; readonly refused: "invalid" | "missing" | "conflict" };

/** What a process is given that takes the place of this one. */
export interface HandOverOffer {
  /**
   * Those that were passed, in their order, each with `count` descriptors; a socket that cannot be passed has none. `is_managed` says that
   * yet another process listens with it, as systemd does. Of the file of a Unix socket: how the system made it, and what was set since.
   */
  readonly sockets: readonly {
    readonly address: string;
    readonly count: number;
    readonly is_managed: boolean;
    readonly made?: SocketFile | undefined;
    readonly guard?: SocketFile | undefined;
  }[];
  /** Where listeners listen, by how they are written. */
  readonly settled: readonly { readonly key: string; readonly addresses: readonly string[] }[];
  readonly pid: number;
}

export interface Operations {
  status(): Status;
  counts(): Counts;
  /** Live sessions, oldest first, at most so many; asks the workers. */
  sessions(limit: number, filter: SessionFilter): Promise<readonly SessionStatus[]>;
  /** Ends one session; false when there is none with this id. Asks the workers. */
  killSession(id: string): Promise<boolean>;
  /** The configuration that is in force, with every default, and without secrets; as JSON it is one that can be read back. */
  config(): unknown;
  /** The last ten minutes, a summary a second, the oldest first. */
  history(): readonly Summary[];
  /** The last changes, the oldest first. */
  changes(): readonly Change[];
  /** Hears every summary and every change from now on, until the returned function is called. */
  subscribe(hear: (news: { summary: Summary } | { change: Change }) => void): () => void;
  /**
   * Does what the operator wants, for one backend or, with `*`, for all of a pool.
   *
   * @return What was done, in one sentence; undefined when there is no such pool or backend.
   */
  steer(pool: string, backend: string, order: Order): string | undefined;
  /**
   * Adds a backend to a pool, or changes one; resolves when it is in force. It holds over what the configuration and sources say,
   * until it is removed.
   *
   * @param value A map as in the configuration, without the name.
   */
  setBackend(pool: string, name: string, value: unknown): Promise<MemberChanged>;
  /** Takes back what {@linkcode Operations.setBackend} has done. */
  removeBackend(pool: string, name: string): Promise<MemberChanged>;
  /** Reads the configuration again and puts it into force. Of several requests at once, most are served by one reload. */
  reload(): Promise<Reloaded>;
  /**
   * Passes the listening sockets to the process that waits for them beside the Unix socket of the admin side. Nothing changes by that.
   *
   * @return What was passed, or why nothing was.
   */
  handOver(): Promise<HandOverOffer | { readonly refused: string }>;
  /**
   * Leaves all connections to come to the process that was given the sockets, and drains; resolves when none is accepted any more.
   *
   * @param unused Addresses that it does not use.
   * @return Why nothing has been done; undefined when it has.
   */
  finishHandOver(unused: readonly string[]): Promise<string | undefined>;
}
