// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Backends that behave as a test wants. */

export interface TestBackend {
  readonly port: number;
  readonly address: string;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Stops listening and closes what is open. */
  stop(): Promise<void>;
}

/** Accepts connections and gives each to `serve`, which may close it; it is closed afterwards in any case. */
export function startBackend(serve: (conn: Deno.TcpConn) => Promise<void> | void): TestBackend {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  const served: Promise<void>[] = [];
  let accepted = 0;
  const accepting = (async () => {
    for await (const conn of listener) {
      accepted++;
      open.add(conn);
      served.push((async () => {
        try {
          await serve(conn);
        } catch {
          // A test that ends early leaves peers that are gone.
        } finally {
          if (open.delete(conn)) close(conn);
        }
      })());
    }
  })();
  return {
    port: listener.addr.port,
    address: `127.0.0.1:${listener.addr.port}`,
    get accepted() {
      return accepted;
    },
    async stop(): Promise<void> {
      listener.close();
      await accepting;
      for (const conn of open) close(conn);
      open.clear();
      await Promise.all(served);
    },
  };
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // The test closed it.
  }
}

/** A port on which nothing listens: a dial is refused. */
export function refusedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/**
 * A listener that accepts nothing and whose queue is full: a dial to it gets no answer at all.
 *
 * Linux drops the first packet of a connection when the queue of a listener is full.
 */
export async function startSilentBackend(): Promise<{ port: number; address: string; stop(): void }> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const fillers: Deno.Conn[] = [];
  for (;;) {
    const signal = AbortSignal.timeout(300);
    try {
      fillers.push(await Deno.connect({ hostname: "127.0.0.1", port, signal }));
    } catch {
      break;
    }
  }
  return {
    port,
    address: `127.0.0.1:${port}`,
    stop: () => {
      for (const conn of fillers) conn.close();
      listener.close();
    },
  };
}
