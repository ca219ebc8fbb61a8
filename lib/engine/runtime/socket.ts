import { writeAll } from "../../core/connection.ts";
import type { Endpoint } from "../../core/endpoint.ts";
import type {
  ClientSocket,
  FirstBytesEvents,
  Keepalive,
  RelayEvents,
  Socket,
  StreamSocket,
} from "../contract.ts";
import type { TlsEvents } from "../tls_contract.ts";
import type { Buffers } from "./buffers.ts";
import {
  beginEarlyRead,
  collectFirstBytes,
  type EarlyRead,
  readUntilEnd,
  releaseEarlyReads,
} from "./early_read.ts";
import type { RuntimeConn } from "./runtime_conn.ts";
import type { RuntimeTlsClient } from "./tls_client.ts";
import { TlsConn } from "./tls_conn.ts";
import { describeTlsFault, isReset } from "./tls_fault.ts";
import type { RuntimeTlsServer } from "./tls_server.ts";

/** A connection of the runtime. */
export class RuntimeSocket implements Socket, StreamSocket {
  conn: RuntimeConn;
  /** What the relay sends first, if anything. Declared alone: most sockets have none, and an initialiser costs each of them. */
  declare sentFirst: Uint8Array | undefined;

  /** Owns `conn` from here on. */
  constructor(conn: RuntimeConn) {
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

  startTls(tls: RuntimeTlsClient, host: string | undefined, on: TlsEvents): void {
    const first = this.sentFirst;
    if (first !== undefined) this.sentFirst = undefined;
    const conn = new TlsConn(this.conn, tls.buffers);
    const sent = first === undefined ? Promise.resolve() : writeAll(this.conn, first);
    this.conn = conn;
    sent.then(() => tls.connect(conn, host)).then(
      (facts) => conn.isClosed || on.opened(facts),
      (error) => conn.isClosed || on.tlsFailed(describeTlsFault(error)),
    ).catch((fault) => on.fault(fault));
  }

  /** The times are those of the system. */
  keepAlive({ idleMs }: Keepalive): void {
    try {
      if ("setKeepAlive" in this.conn) (this.conn as Deno.TcpConn).setKeepAlive(idleMs > 0);
    } catch {
      // Its peer has gone, or it is closed; then there is no peer to probe.
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

const NOTHING = new Uint8Array(0);

/** One that was accepted. */
export class RuntimeClient extends RuntimeSocket implements ClientSocket {
  readonly #buffers: Buffers;
  /** The read that is under way, until the relay takes it over. */
  #early: EarlyRead | undefined;
  /** First bytes, which come before that. */
  #first: Uint8Array<ArrayBuffer> = NOTHING;
  /** Told, once, when the client has gone. */
  #on: Pick<RelayEvents, "clientGone"> | undefined;

  constructor(conn: RuntimeConn, buffers: Buffers) {
    super(conn);
    this.#buffers = buffers;
  }

  readAhead(on: Pick<RelayEvents, "clientGone">): void {
    this.#on = on;
    this.#early = beginEarlyRead(this.conn, this.#buffers);
    this.#watch(this.#early);
  }

  async hasEnded(isWaiting: () => boolean): Promise<boolean> {
    const early = this.#early;
    if (early === undefined) return false;
    return await readUntilEnd(early, this.conn, this.#buffers, this.#first.length, isWaiting) === "ended";
  }

  firstBytes(
    isEnough: (bytes: Uint8Array) => boolean,
    on: FirstBytesEvents,
    maxBytes: number,
  ): void {
    const early = this.#early;
    if (early === undefined) throw new TypeError("Cannot read first bytes: nothing is read ahead");
    this.#on = on;
    const isOpen = (): boolean => this.#early === early;
    collectFirstBytes(early, this.conn, { before: this.#first, isEnough, maxBytes, isOpen }).then((found) => {
      if (!isOpen()) return;
      if (found === "gone") return this.#gone();
      this.#first = found.bytes;
      this.#watch(early);
      if (found.isEnough) on.enough(found.bytes);
      else on.tooFew(found.bytes);
    }).catch((fault) => on.fault(fault));
  }

  skip(bytes: number): void {
    if (bytes > this.#first.length) {
      throw new RangeError(`Cannot skip ${bytes} bytes: ${this.#first.length} were read`);
    }
    this.#first = this.#first.subarray(bytes);
  }

  /** What was read ahead comes first. */
  override read(into: Uint8Array): Promise<number | null> {
    if (this.#first.length > 0) return Promise.resolve(this.#takeFirst(into));
    return this.#early === undefined ? super.read(into) : this.#readEarly(this.#early, into);
  }

  async #readEarly(early: EarlyRead, into: Uint8Array): Promise<number | null> {
    const filled = await early.filled;
    // It gives the buffer back.
    if (this.#early !== early) throw new Deno.errors.Interrupted("The connection was closed");
    if (filled !== null) this.#first = early.buffer.slice(0, filled);
    this.#early = early.next;
    this.#buffers.giveBack(early.buffer);
    return filled === null ? null : this.#takeFirst(into);
  }

  #takeFirst(into: Uint8Array): number {
    const taken = Math.min(this.#first.length, into.length);
    into.set(this.#first.subarray(0, taken));
    this.#first = this.#first.subarray(taken);
    return taken;
  }

  /** Hands over what was read ahead, with its buffers. */
  takeEarly(): EarlyRead | undefined {
    const first = this.#first;
    const early = this.#early;
    this.#early = undefined;
    if (first.length === 0 || early === undefined) return early;
    return { buffer: first, filled: Promise.resolve(first.length), next: early };
  }

  openTls(tls: RuntimeTlsServer, serverName: string | undefined, on: TlsEvents): void {
    const early = this.takeEarly();
    if (early === undefined) throw new TypeError("Cannot open TLS: nothing is read ahead");
    this.#first = NOTHING;
    const conn = new TlsConn(this.conn, this.#buffers, early);
    this.conn = conn;
    tls.accept(conn, serverName).then(
      (facts) => {
        if (conn.isClosed) return;
        this.#early = beginEarlyRead(conn, this.#buffers);
        this.#watch(this.#early);
        on.opened(facts);
      },
      (error) => {
        if (conn.isClosed) return;
        if (isReset(error)) this.#gone();
        else on.tlsFailed(describeTlsFault(error));
      },
    ).catch((fault) => on.fault(fault));
  }

  #watch(early: EarlyRead): void {
    // Otherwise it was closed here, or the one who took it over finds out.
    early.filled.catch(() => this.#early === early && this.#gone());
  }

  #gone(): void {
    const on = this.#on;
    this.#on = undefined;
    on?.clientGone();
  }

  override close(): void {
    super.close();
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) void releaseEarlyReads(early, this.#buffers);
  }
}

function endpointOf(address: Deno.Addr): Endpoint {
  if (!("hostname" in address)) return { transport: "unix" };
  return { transport: "tcp", host: address.hostname, port: address.port };
}
