/**
 * Ports on which nothing listens, each given out once among the test files that run at the same time. A port that is chosen by chance, or
 * by the system, is now and then another program's as soon as a test has stopped listening on it.
 */

/** Below the ports that systems take for outgoing connections, of which other tests have many. */
const FIRST_PORT = 10_000;
const BLOCKS = 80;
const PORTS_OF_BLOCK = 250;

/** The port before those of this test file. It is listened on until the file is done, so no other file takes the same ones. */
const block = claimBlock();
let given = 0;

function claimBlock(): Deno.TcpListener {
  for (;;) {
    const listener = tryListen(FIRST_PORT + Math.floor(Math.random() * BLOCKS) * PORTS_OF_BLOCK);
    if (listener !== undefined) return listener;
  }
}

function tryListen(port: number): Deno.TcpListener | undefined {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

/** A port on which nothing listens: a dial is refused. */
export function refusedPort(): number {
  for (let tries = 1; tries < PORTS_OF_BLOCK; tries++) {
    const port = block.addr.port + 1 + given++ % (PORTS_OF_BLOCK - 1);
    const listener = tryListen(port);
    listener?.close();
    if (listener !== undefined) return port;
  }
  throw new Error("Cannot find a free port: this test file has taken all of its own");
}

/**
 * A port that is free for both transports, and none that the system gives to clients: dig shares its own (SO_REUSEPORT), and at the port of
 * the balancer it would hear itself.
 */
export function freePort(hostname = "127.0.0.1"): number {
  for (;;) {
    const port = refusedPort();
    try {
      Deno.listenDatagram({ transport: "udp", hostname, port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
