/** What this engine uses of a connection: one of the runtime, or TLS on it. */
export type RuntimeConn = Pick<
  Deno.Conn,
  "read" | "write" | "closeWrite" | "close" | "localAddr" | "remoteAddr"
>;
