/** Where a session is between its accept and its end. */
export type Phase =
  /** Accepted; the client may leave again. */
  | "greeting"
  /** It has a pool, and is about to pick; or rests before it dials the same backend again. */
  | "routed"
  /** In line for a free backend. */
  | "queued"
  /** Has a slot at a backend, which is being reached. */
  | "dialling"
  | "relaying"
  | "ended";
