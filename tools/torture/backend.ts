// deno-lint-ignore-file no-await-in-loop -- a stream is answered in order

/** An echo server that can die, come back, and stop reading for a while. */
export class EchoBackend {
  readonly port: number;
  #listener: Deno.TcpListener | undefined;
  readonly #open = new Set<Deno.TcpConn>();
  #stalled: Promise<void> | undefined;

  constructor() {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    void this.#accept(this.#listener);
  }

  /** Closes its port and every connection. */
  die(): void {
    this.#listener?.close();
    this.#listener = undefined;
    for (const conn of this.#open) close(conn);
    this.#open.clear();
  }

  comeBack(): void {
    if (this.#listener !== undefined) return;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    void this.#accept(this.#listener);
  }

  /** Neither reads nor writes for so long. */
  stall(ms: number): void {
    this.#stalled = new Promise((resolve) => setTimeout(resolve, ms));
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    try {
      for await (const conn of listener) void this.#echo(conn);
    } catch {
      // The port was closed.
    }
  }

  async #echo(conn: Deno.TcpConn): Promise<void> {
    this.#open.add(conn);
    const buffer = new Uint8Array(16 * 1024);
    try {
      for (let filled = await conn.read(buffer); filled !== null; filled = await conn.read(buffer)) {
        await this.#stalled;
        for (let sent = 0; sent < filled;) sent += await conn.write(buffer.subarray(sent, filled));
      }
    } catch {
      // The balancer has gone, or this backend has died.
    }
    this.#open.delete(conn);
    close(conn);
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed before.
  }
}
