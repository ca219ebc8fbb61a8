import type { Endpoint } from "../../core/endpoint.ts";
import type {
  ClientSocket,
  FirstBytesEvents,
  Keepalive,
  RelayEvents,
  Socket,
  StreamSocket,
} from "../contract.ts";
import type { Buffers } from "./buffers.ts";
import {
  beginEarlyRead,
  collectFirstBytes,
  type EarlyRead,
  readUntilEnd,
  releaseEarlyReads,
} from "./early_read.ts";

/** A connection of the runtime. */
export class RuntimeSocket implements Socket, StreamSocket {
  readonly conn: Deno.Conn;
  /** What the relay sends first, if anything. Declared alone: most sockets have none, and an initialiser costs each of them. */
  declare sentFirst: Uint8Array | undefined;

  /** Owns `conn` from here on. */
  constructor(conn: Deno.Conn) {
    this.conn = conn;
  }

  /** The runtime does not tell. */
  get unacknowledged(): undefined {
    return undefined;
  }

  get peer(): Endpoint {
    return endpointOf(this.conn.remoteAddr);
  }

  get local(): Endpoint {
    return endpointOf(this.conn.localAddr);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.conn.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.conn.closeWrite();
  }

  preface(bytes: Uint8Array): void {
    this.sentFirst = bytes;
  }

  /** The times are those of the system. */
  keepAlive({ idleMs }: Keepalive): void {
    try {
      if ("setKeepAlive" in this.conn) (this.conn as Deno.TcpConn).setKeepAlive(idleMs > 0);
    } catch {
      // Its peer has gone, or it is closed; then nobody needs to be asked.
    }
  }

  /** A `Deno.Conn` cannot be reset. */
  reset(): void {
    this.close();
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // Closed before; there is nothing left to close.
    }
  }
}

/** One that was accepted. */
export class RuntimeClient extends RuntimeSocket implements ClientSocket {
  readonly #buffers: Buffers;
  #early: EarlyRead | undefined;

  constructor(conn: Deno.Conn, buffers: Buffers) {
    super(conn);
    this.#buffers = buffers;
  }

  readAhead(on: Pick<RelayEvents, "clientGone">): void {
    this.#early = beginEarlyRead(this.conn, this.#buffers);
    this.#early.filled.catch(() => on.clientGone());
  }

  async hasEnded(isWaiting: () => boolean): Promise<boolean> {
    if (this.#early === undefined) return false;
    return await readUntilEnd(this.#early, this.conn, this.#buffers, isWaiting) === "ended";
  }

  firstBytes(isEnough: (bytes: Uint8Array) => boolean, on: FirstBytesEvents): void {
    const early = this.#early;
    if (early === undefined) throw new TypeError("Cannot read first bytes: nothing is read ahead");
    const isOpen = (): boolean => this.#early === early;
    collectFirstBytes(early, this.conn, this.#buffers, isEnough, isOpen).then((found) => {
      if (found === "gone" || !isOpen()) return on.clientGone();
      found.next?.filled.catch(() => on.clientGone());
      if (found.isEnough) on.enough(found.bytes);
      else on.tooFew(found.bytes);
    }).catch((fault) => on.fault(fault));
  }

  /** Hands over what was read ahead, with its buffers. */
  takeEarly(): EarlyRead | undefined {
    const early = this.#early;
    this.#early = undefined;
    return early;
  }

  override close(): void {
    super.close();
    const early = this.takeEarly();
    if (early !== undefined) void releaseEarlyReads(early, this.#buffers);
  }
}

function endpointOf(address: Deno.Addr): Endpoint {
  if (!("hostname" in address)) return { transport: "unix" };
  return { transport: "tcp", host: address.hostname, port: address.port };
}
