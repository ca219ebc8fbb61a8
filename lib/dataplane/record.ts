/** What is left of a session when it has ended. */

/** Why a session ended; always one. */
export const END_REASONS = [
  /** Both directions came to their end. Of a flow: it was silent for `idle_timeout`, or had the answers that it was to have. */
  "done",
  /** The client reset the connection, or no longer took what the backend sent. */
  "client_reset",
  /** The backend reset the connection, or no longer took what the client sent. Of a flow: nothing listens there. */
  "backend_reset",
  /** Every backend that was tried refused or did not answer in time. */
  "dial_failed",
  /** There was no backend to try: all are down, ejected, drained, disabled or of weight 0, or full without a queue. */
  "no_backend",
  /** All backends were full, and so was the queue. */
  "queue_full",
  /** All backends stayed full for as long as the session could wait. */
  "queue_timeout",
  /** Its client is not let in (`allow`, `deny`). */
  "denied",
  /** Its source has as many connections as it may have (`max_connections_per_source`). */
  "source_limit",
  /** Its source opens connections too fast (`connection_rate`). */
  "connection_rate",
  /** Its peer is none of those from which a PROXY header is expected. */
  "proxy_refused",
  /** It did not begin with a PROXY header that is one. */
  "proxy_invalid",
  /** Its ClientHello was none, or did not come whole. */
  "hello_invalid",
  /** TLS with the client could not be opened. */
  "tls_failed",
  /** No route leads to a pool. */
  "no_route",
  /** The client took too long for its PROXY header, its ClientHello or its TLS. */
  "handshake_timeout",
  /** Of a flow: the answers that it was to have (`responses`) did not come. */
  "idle_timeout",
  "half_close_timeout",
  "max_duration",
  /** There were as many flows as there may be (`max_flows`, or open files), and this one was idle for longest. */
  "forgotten",
  /** The backend went down, and its sessions with it (`on_backend_down: close`). */
  "backend_down",
  /** The backend is a member of its pool no more, which does not let its sessions finish (`leave`). */
  "backend_left",
  /** The operator ended it. */
  "killed",
  /** The balancer stopped, or replaced its workers, before the session had finished. */
  "shutdown",
  /** A fault of sockbal itself; the log has a warning beside it. */
  "internal_error",
] as const;
export type EndReason = typeof END_REASONS[number];

/** Ends of sessions whose client could not be served at all; worth a warning. */
export const UNSERVED: ReadonlySet<EndReason> = new Set(
  ["dial_failed", "no_backend", "queue_full", "queue_timeout", "internal_error"] as const,
);

/** Ends of sessions that were not let in for where they came from: counted and summed up, without records of their own. */
export const DENIAL_REASONS = ["denied", "source_limit", "connection_rate"] as const;
export type DenialReason = typeof DENIAL_REASONS[number];

export function isDenial(reason: EndReason): reason is DenialReason {
  return DENIAL_REASONS.some((it) => it === reason);
}

/** Ends of sessions whose client was turned away before it was routed, by its own fault or that of what is in front of it. */
const TURNED_AWAY_REASONS = [
  ...DENIAL_REASONS,
  "proxy_refused",
  "proxy_invalid",
  "hello_invalid",
  "tls_failed",
  "no_route",
  "handshake_timeout",
] as const;
export type TurnedAwayReason = typeof TURNED_AWAY_REASONS[number];
export const TURNED_AWAY: ReadonlySet<EndReason> = new Set(TURNED_AWAY_REASONS);

export function isTurnedAway(reason: EndReason): reason is TurnedAwayReason {
  return TURNED_AWAY.has(reason);
}

/** Which sessions leave a record: all, none, or not those in which no byte moved and nothing went wrong. */
export type RecordedSessions = boolean | "served";

/** Whether a session that has ended leaves a record. */
export function isRecorded(
  { bytes_in, bytes_out, end }: Pick<SessionRecord, "bytes_in" | "bytes_out" | "end">,
  recorded: RecordedSessions,
): boolean {
  if (recorded !== "served") return recorded;
  return bytes_in > 0 || bytes_out > 0 || UNSERVED.has(end);
}

/** The field names are those of the log, so they are snake_case; undefined fields are not written. */
export interface SessionRecord {
  readonly id: string;
  readonly listener: string;
  /** `ip:port`, or `unix` for a client of a Unix socket; the one that a PROXY header names. */
  readonly client: string;
  /** The name of the backend; undefined when none was reached. */
  readonly backend: string | undefined;
  /** `ip:port` that the backend sees as its client; undefined for a Unix socket, and when none was reached. */
  readonly local: string | undefined;
  /** Bytes relayed from client to backend. */
  readonly bytes_in: number;
  /** Bytes relayed from backend to client. */
  readonly bytes_out: number;
  /** The name of the pool; undefined when it was not routed. */
  readonly pool: string | undefined;
  /** Waiting for a free backend; undefined when it did not wait. */
  readonly queue_ms: number | undefined;
  /** From the first dial until a backend was connected or given up, all attempts together. */
  readonly dial_ms: number;
  /** From accept to the end. */
  readonly duration_ms: number;
  /** Backends dialled. */
  readonly attempts: number;
  /** The attempts that failed, as `name: reason`; undefined when none did. */
  readonly failed: readonly string[] | undefined;
  readonly end: EndReason;
  /** The proxy that sent a PROXY header, as `client`; this and all further fields are missing where there is nothing to say. */
  readonly via?: string;
  /** The server that the client asked for by TLS. */
  readonly server_name?: string;
  /** The protocol that was agreed upon, or those that the client offers. */
  readonly alpn?: readonly string[];
  /** With which version TLS was opened, as `TLSv1.3`. */
  readonly tls?: string;
  /** Whom the client's certificate names, which was verified. */
  readonly subject?: string;
  /** Why it was refused before it was routed, in plain words. */
  readonly why?: string;
}
