/** What is left of a session when it has ended. */

/** Why a session ended; always one. */
export type EndReason =
  /** Both directions came to their end. */
  | "done"
  /** The client reset the connection, or no longer took what the backend sent. */
  | "client_reset"
  /** The backend reset the connection, or no longer took what the client sent. */
  | "backend_reset"
  /** Every backend that was tried refused or did not answer in time. */
  | "dial_failed"
  | "idle_timeout"
  | "half_close_timeout"
  | "max_duration"
  /** The balancer stopped before the session had finished. */
  | "shutdown"
  /** A fault of sockbal itself; the log has a warning beside it. */
  | "internal_error";

/** The field names are those of the log, so they are snake_case; undefined fields are not written. */
export interface SessionRecord {
  readonly id: string;
  readonly listener: string;
  /** `ip:port`, or `unix` for a client of a Unix socket. */
  readonly client: string;
  /** The name of the backend; undefined when none was reached. */
  readonly backend: string | undefined;
  /** Bytes relayed from client to backend. */
  readonly bytes_in: number;
  /** Bytes relayed from backend to client. */
  readonly bytes_out: number;
  /** From accept until a backend was connected or given up, all attempts together. */
  readonly dial_ms: number;
  /** From accept to the end. */
  readonly duration_ms: number;
  /** Backends dialled. */
  readonly attempts: number;
  /** The attempts that failed, as `name: reason`; undefined when none did. */
  readonly failed: readonly string[] | undefined;
  readonly end: EndReason;
}
