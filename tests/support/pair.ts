/** Two connected ends. */
export interface Pair {
  /** The end that the test plays. */
  readonly peer: Deno.TcpConn;
  /** The end that is handed to what is tested. */
  readonly end: Deno.TcpConn;
}

/** Connects two ends over loopback; whoever has them closes them. */
export async function pair(): Promise<Pair> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [peer, end] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  listener.close();
  return { peer, end };
}
