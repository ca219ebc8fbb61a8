/** The contract of the server's handlers. */

import type { Connection } from "../core/connection.ts";

/** What a handler may know besides its connection. */
export interface HandlerContext {
  /** How the server calls itself, and whom it serves where a PROXY header has named the true client. */
  readonly name: string;
  /** The time of day. */
  readonly now: () => Date;
}

/**
 * Serves one connection.
 *
 * When it returns, the server ends the sending side and closes; when it throws, the server closes at once. A handler
 * never closes the connection itself, and what it throws disturbs no other connection.
 */
export type Handler = (connection: Connection, context: HandlerContext) => Promise<void>;
