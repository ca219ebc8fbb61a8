/**
 * The state of a running balancer, as the page, the API and metrics show it.
 *
 * The names of fields are those of the API, so they are snake_case.
 */

import type { OperatorState } from "../pool/scoreboard.ts";

/** Where a balancer is between its start and its end; it accepts connections while it runs, and for the shutdown delay. */
export type LifeState = "starting" | "running" | "stopping";

/** A backend in one word: the strongest reason why it is not picked, or `up`. */
export type BackendState = "up" | "down" | "ejected" | "draining" | "disabled" | "leaving";

export interface BackendStatus {
  readonly name: string;
  readonly address: string;
  readonly state: BackendState;
  /** What the last change of state was about; may be empty. */
  readonly reason: string;
  /** When that was, as ISO 8601. */
  readonly since: string;
  readonly health: "up" | "down" | "unchecked";
  readonly ejected: boolean;
  readonly operator: OperatorState;
  readonly weight: number;
  /** What the configuration says; the operator may have set another. */
  readonly configured_weight: number;
  /** Whether it is gone from the configuration and is shown until its last session has ended. */
  readonly leaving: boolean;
  /** The configuration, its pool's source, or the API. */
  readonly origin: "file" | "discovered" | "operator";
  /** What counts of it during a slow start; may be a fraction. */
  readonly effective_weight: number;
  readonly backup: boolean;
  readonly active: number;
  /** 0 is no limit. */
  readonly max_connections: number;
  readonly sessions_total: number;
  readonly dial_failures_total: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  /** The mean of the dials of the last second in which there were any; null before the first. */
  readonly dial_ms: number | null;
}

/** A certificate that is shown to the clients of a listener, or to the backends of a pool. Its texts are of its maker's choice. */
export interface CertificateStatus {
  /** As `CN=www.example.com, O=Example`; may be empty. */
  readonly subject: string;
  /** DNS names and IP addresses. */
  readonly names: readonly string[];
  /** ISO 8601, as the other end. */
  readonly not_before: string;
  readonly not_after: string;
  /** SHA-256 of it, as `A1:B2:…`. */
  readonly fingerprint: string;
  /** Soon is within 14 days. */
  readonly state: "valid" | "expires_soon" | "expired";
}

/** Where the backends of a pool are discovered. */
export interface DiscoveryStatus {
  /** As `dns api.internal:8080`. */
  readonly source: string;
  /** The last good ones. */
  readonly members: number;
  /** Why it cannot be used at the moment; empty when it can. */
  readonly trouble: string;
  /** Since when that is so, as ISO 8601. */
  readonly since: string;
  /** What was left out and why, a sentence each; twenty at most. */
  readonly refused: readonly string[];
}

export interface PoolStatus {
  readonly name: string;
  readonly algorithm: string;
  readonly queued: number;
  /** 0 is no queue. */
  readonly queue_size: number;
  /** Backends that may be picked now. */
  readonly available: number;
  /** Whether it is gone from the configuration and is shown until its last session has ended. */
  readonly leaving: boolean;
  /** In the order of the configuration. */
  readonly certificates: readonly CertificateStatus[];
  /** Null where all backends stand in the configuration. */
  readonly discovery: DiscoveryStatus | null;
  readonly sessions_total: number;
  /** Sessions that could not be served. */
  readonly refused_total: number;
  readonly retries_total: number;
  readonly backends: readonly BackendStatus[];
}

export interface RateLimitStatus {
  readonly in: number;
  readonly out: number;
  readonly total_in: number;
  readonly total_out: number;
}

export interface ListenerStatus {
  readonly name: string;
  readonly address: string;
  /** The pools that its sessions may go to: those of its routes, and its own last; empty when it leaves. */
  readonly pools: readonly string[];
  readonly active: number;
  /** 0 is no limit. */
  readonly max_connections: number;
  /** Of a listener on UDP, whose sessions are flows; 0 where it accepts connections. */
  readonly max_flows: number;
  /** 0 is no limit. */
  readonly max_connections_per_source: number;
  /** In bytes a second, of one session and of all together; 0 is no limit. */
  readonly rate_limit: RateLimitStatus;
  /** Whether it is gone from the configuration and is shown until its last session has ended. */
  readonly leaving: boolean;
  /** In the order of the configuration. */
  readonly certificates: readonly CertificateStatus[];
  readonly sessions_total: number;
  /** Sessions that could not be served, or were turned away before they were routed. */
  readonly refused_total: number;
  /** These by reason; those that did not happen are missing. */
  readonly refused_by: Readonly<Record<string, number>>;
  readonly bytes_in: number;
  readonly bytes_out: number;
  /** Of UDP: datagrams that were dropped, by reason: above `rate_limit`, or no room for them. */
  readonly datagrams_dropped: { readonly rate_limit: number; readonly no_room: number };
}

/** A source whose clients were turned away during the last ten minutes. */
export interface HeldBackStatus {
  /** As `192.0.2.1`, `2001:db8::/64`, or `unix`. */
  readonly source: string;
  readonly listener: string;
  readonly reason:
    | "denied"
    | "source_limit"
    | "connection_rate"
    | "proxy_refused"
    | "proxy_invalid"
    | "hello_invalid"
    | "tls_failed"
    | "no_route"
    | "handshake_timeout";
  /** Connections that it has now; 0 where the listener does not limit them. */
  readonly active: number;
  /** How often it was refused, since it began. */
  readonly refused: number;
  /** For the last time, as ISO 8601. */
  readonly last: string;
}

/** A source that has connections, at a listener that limits sources. */
export interface SourceStatus {
  /** As `192.0.2.1` or `2001:db8::/64`. */
  readonly source: string;
  readonly listener: string;
  readonly active: number;
}

export interface WorkerStatus {
  readonly id: number;
  readonly generation: number;
  /** Largest event-loop lag since the last report, in ms. */
  readonly lag_ms: number;
}

/** A configuration that is in etcd, and what became of the last change of it here. */
export interface RolloutStatus {
  /** Of the configuration in force, as in {@linkcode FleetStatus}. */
  readonly digest: string;
  /** That of the last change in etcd; null until it is known. */
  readonly revision: string | null;
  /**
   * `changed`: another one waits for a reload; `waiting`: others try it; `trying`: it is tried here; `stopped`: it has failed where it
   * was tried; `failed`: it cannot be put into force here. With all but the first and `trying`, the configuration before is in force.
   */
  readonly state: "in_force" | "changed" | "waiting" | "trying" | "stopped" | "failed";
  /** Why it has failed; may be empty. */
  readonly reason: string;
  /** When that was decided, as ISO 8601. */
  readonly since: string;
  /** Who has tried it; empty where nothing had to be tried. */
  readonly canaries: readonly {
    readonly name: string;
    readonly result: "trying" | "passed" | "failed" | "lost";
  }[];
  /** Why etcd cannot be asked at the moment; empty when it can. */
  readonly trouble: string;
  /** Since when that is so, as ISO 8601; null when it can. */
  readonly trouble_since: string | null;
}

/** Another balancer of the fleet. */
export interface FleetMemberStatus {
  readonly name: string;
  /** Where its page is. */
  readonly address: string;
  readonly version: string;
  /** Of its configuration. */
  readonly digest: string;
  /** Lost: it was seen, and has gone without a word. */
  readonly state: "present" | "lost";
  /** Since when, as it was noticed here; ISO 8601. */
  readonly since: string;
  /** In what it is unlike this balancer; nothing of one that is lost. */
  readonly differs: readonly ("version" | "configuration")[];
}

/** The fleet that this balancer is in. */
export interface FleetStatus {
  readonly name: string;
  readonly address: string;
  readonly version: string;
  readonly digest: string;
  /** Whether etcd answers. */
  readonly connected: boolean;
  /** Since when it does, or does not, as ISO 8601. */
  readonly since: string;
  /** Why it does not, or why this balancer is not registered; empty when all is well. */
  readonly trouble: string;
  /** Wishes that were given here and are not yet in etcd. */
  readonly unshared: number;
  /** By name. Without etcd, as they were last known. */
  readonly others: readonly FleetMemberStatus[];
}

/** Everything that the page shows. */
export interface Status {
  readonly version: string;
  readonly started_at: string;
  readonly uptime_s: number;
  readonly now: string;
  readonly generation: number;
  /** Where the configuration came from. */
  readonly config: string;
  /** Null where it did not come from etcd. */
  readonly rollout: RolloutStatus | null;
  /** How workers drive their sockets. */
  readonly engine: "runtime" | "epoll";
  /** What confines them, as `landlock,seccomp`; null before they are started. */
  readonly confined: string | null;
  /** Why it is no more; null where nothing is missing. */
  readonly not_confined_by: string | null;
  readonly state: LifeState;
  /** Whether it runs and every pool has a backend that may be picked. */
  readonly ready: boolean;
  readonly workers: readonly WorkerStatus[];
  readonly process: {
    readonly memory_bytes: number;
    readonly cpu_seconds: number;
    /** Null where it cannot be found out. */
    readonly open_files: number | null;
    /** How many there may be; null where it cannot be found out. */
    readonly max_open_files: number | null;
  };
  readonly log_records_dropped: number;
  readonly listeners: readonly ListenerStatus[];
  readonly pools: readonly PoolStatus[];
  /** The busiest first, twenty at most. */
  readonly held_back: readonly HeldBackStatus[];
  /** Those with the most connections first, twenty at most. */
  readonly sources: readonly SourceStatus[];
  /** Null where the configuration names none. */
  readonly fleet: FleetStatus | null;
}
