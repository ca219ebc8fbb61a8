// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Backends that behave as a test wants, and the clients that tell them apart. */

import { once } from "node:events";
import { connect, createServer } from "node:net";
import { writeAll } from "../../lib/core/connection.ts";
import { bytes, readAll, text } from "./bytes.ts";
import { refusedPort } from "./ports.ts";

export interface TestBackend {
  readonly port: number;
  readonly address: string;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Stops listening and closes what is open. */
  stop(): Promise<void>;
}

/** The next connection; undefined when the listener is closed. One that was reset before it was accepted is none. */
async function accept(listener: Deno.TcpListener): Promise<Deno.TcpConn | undefined> {
  for (;;) {
    try {
      return await listener.accept();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotConnected)) return undefined;
    }
  }
}

/** Accepts connections and gives each to `serve`, which may close it; it is closed afterwards in any case. */
export function startBackend(
  serve: (conn: Deno.TcpConn) => Promise<void> | void,
  { hostname = "127.0.0.1", port = refusedPort() }: { readonly hostname?: string; readonly port?: number } =
    {},
): TestBackend {
  const listener = Deno.listen({ hostname, port });
  const open = new Set<Deno.TcpConn>();
  const served: Promise<void>[] = [];
  let accepted = 0;
  const accepting = (async () => {
    for (;;) {
      const conn = await accept(listener);
      if (conn === undefined) return;
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
    address: `${hostname}:${listener.addr.port}`,
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

/** Sends back all that its client has sent, once the client has ended: so a client sees what came of it. */
export function startMirror(
  { says = "", ...at }: { readonly says?: string; readonly hostname?: string } = {},
): TestBackend & AsyncDisposable {
  const mirror = startBackend(async (conn) => {
    const heard = await readAll(conn);
    await writeAll(conn, bytes(says));
    await writeAll(conn, heard);
  }, at);
  return Object.assign(mirror, { [Symbol.asyncDispose]: () => mirror.stop() });
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // The test closed it.
  }
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

/** A backend that greets, if it has a greeting, and resets each connection: at once, or when something was asked. */
export async function startResettingBackend(
  when: "connected" | "asked",
  greeting = "",
): Promise<{ readonly address: string } & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(greeting);
    if (when === "asked") socket.once("data", () => socket.resetAndDestroy());
    else socket.resetAndDestroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot find the port of the backend");
  return {
    address: `127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

/** A client that can reset its connection; only one of node:net can. */
export async function enterToReset(
  port: number,
  says = "",
): Promise<{ readonly port: number; reset(): Promise<void> }> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  await once(socket, "connect");
  if (says !== "") await new Promise<void>((resolve) => socket.write(says, () => resolve()));
  return {
    port: socket.localPort ?? 0,
    reset: async () => {
      const closed = once(socket, "close");
      socket.resetAndDestroy();
      await closed;
    },
  };
}

/** Says its name to whoever connects, and stays until the client ends. */
export interface NamedBackend extends AsyncDisposable {
  /** Its entry in the list of backends. */
  readonly member: { readonly name: string; readonly address: string };
  /** Sessions it has now. */
  readonly active: number;
  /** The most sessions that it has had at once. */
  readonly most: number;
  /** Sessions so far. */
  readonly served: number;
  /** Closes what is open; from now on dials are refused. */
  goDown(): Promise<void>;
  /** Listens again where it did. */
  comeUp(): void;
}

export function startNamedBackend(
  name: string,
  at: { readonly hostname?: string; readonly port?: number } = {},
): NamedBackend {
  let [active, most, served] = [0, 0, 0];
  const serve = async (conn: Deno.TcpConn): Promise<void> => {
    served++;
    most = Math.max(most, ++active);
    try {
      await writeAll(conn, bytes(`${name}\n`));
      await readAll(conn);
    } finally {
      // Before it is closed: the balancer cannot have freed the slot yet.
      active--;
    }
  };
  let backend: TestBackend | undefined = startBackend(serve, at);
  const { port, address } = backend;
  const goDown = async (): Promise<void> => {
    const stopping = backend?.stop();
    backend = undefined;
    await stopping;
  };
  return {
    member: { name, address },
    get active() {
      return active;
    },
    get most() {
      return most;
    },
    get served() {
      return served;
    },
    goDown,
    comeUp: () => void (backend = startBackend(serve, { ...at, port })),
    [Symbol.asyncDispose]: goDown,
  };
}

/** Answers GET with 200 while it is well, and with 503 while it is not; tells others its name, and echoes what they say. */
export interface CheckedBackend extends AsyncDisposable {
  /** Its entry in the list of backends. */
  readonly member: { readonly name: string; readonly address: string };
  isWell: boolean;
  /** Checks so far. */
  readonly checks: number;
}

export function startCheckedBackend(name: string): CheckedBackend {
  let checks = 0;
  const backend = startBackend(async (conn) => {
    const buffer = new Uint8Array(1024);
    let filled = await conn.read(buffer) ?? 0;
    if (text(buffer.subarray(0, filled)).startsWith("GET ")) {
      checks++;
      return await writeAll(conn, bytes(`HTTP/1.1 ${checked.isWell ? 200 : 503} Status\r\n\r\n`));
    }
    await writeAll(conn, bytes(`${name}\n`));
    while ((filled = await conn.read(buffer) ?? 0) > 0) await writeAll(conn, buffer.subarray(0, filled));
  });
  const checked = {
    member: { name, address: backend.address },
    isWell: true,
    get checks() {
      return checks;
    },
    [Symbol.asyncDispose]: () => backend.stop(),
  };
  return checked;
}

/** A client of named backends that stays until it is disposed of. */
export interface Guest extends Disposable {
  readonly conn: Deno.TcpConn;
  /** The name of its backend; empty when it was closed without one. */
  readonly name: string;
}

/** Connects, and waits to be served or closed; a checked backend has to be asked first. */
export async function enter(port: number, question = ""): Promise<Guest> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await writeAll(conn, bytes(question));
  let name = "";
  const letter = new Uint8Array(1);
  while (!name.endsWith("\n") && await readOrCut(conn, letter) !== null) name += text(letter);
  return { conn, name: name.trimEnd(), [Symbol.dispose]: () => conn.close() };
}

/** Connects, leaves as soon as it may, and gives the name of the backend; empty when it was closed without one. */
export async function visit(port: number, question = ""): Promise<string> {
  using conn = await connectOrCut(port);
  if (conn === undefined) return "";
  await writeAll(conn, bytes(question));
  await conn.closeWrite().catch(() => {});
  return text(await readAll({ read: (buffer) => readOrCut(conn, buffer) })).trimEnd();
}

/** A connection may be cut before the call that makes it has returned. */
async function connectOrCut(port: number): Promise<Deno.TcpConn | undefined> {
  try {
    return await Deno.connect({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return undefined;
    throw error;
  }
}

/** A connection that is cut says nothing more, as one that ends. */
export async function readOrCut(conn: Deno.TcpConn, buffer: Uint8Array): Promise<number | null> {
  try {
    return await conn.read(buffer);
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return null;
    throw error;
  }
}
