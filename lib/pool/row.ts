/** Types for rows of the scoreboard, so that the compiler refuses a backend row where a pool row is needed. */

declare const kind: unique symbol;

/** A row number. Only the control plane's row book, and the ledger that visits all rows, make one from a number. */
export type Row<Kind extends string = string> = number & { readonly [kind]: Kind };

export type PoolRow = Row<"pool">;
export type BackendRow = Row<"backend">;
export type ListenerRow = Row<"listener">;
/** Counts the sessions of a listener. */
export type SessionsRow = Row<"sessions">;
/** The first row of a queue. */
export type QueueRow = Row<"queue">;
/** Counts the sessions of all listeners. */
export type FilesRow = Row<"open files">;
