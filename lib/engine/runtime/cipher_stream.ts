import { Duplex } from "node:stream";
import { writeAll } from "../../core/connection.ts";
import type { RuntimeConn } from "./runtime_conn.ts";

/**
 * The side of TLS that has the cipher text, as `node:tls` needs it: what it writes goes to a connection, and what it reads is pushed
 * by the one who reads from that connection.
 *
 * `node:tls` holds up neither reading nor writing of such a stream (Deno 2.9.6). So it does not read by itself, and says when all
 * that was written has been taken.
 */
export class CipherStream extends Duplex {
  readonly #conn: RuntimeConn;
  readonly #onWriteFailed: (error: unknown) => void;
  #onTaken: (() => void) | undefined;

  constructor(conn: RuntimeConn, onWriteFailed: (error: unknown) => void) {
    super({ allowHalfOpen: true, autoDestroy: false });
    this.#conn = conn;
    this.#onWriteFailed = onWriteFailed;
    // Without a listener an error would end the thread.
    this.on("error", onWriteFailed);
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    const taken = (): void => {
      done();
      if (this.writableLength === 0) this.#taken();
    };
    const onFailed = (error: unknown): void => {
      this.#onWriteFailed(error);
      taken();
    };
    const onWritten = (bytes: number): void => {
      if (bytes === chunk.length) taken();
      else writeAll(this.#conn, chunk.subarray(bytes)).then(taken, onFailed);
    };
    this.#conn.write(chunk).then(onWritten, onFailed);
  }

  override _final(done: () => void): void {
    this.#conn.closeWrite().catch(this.#onWriteFailed).then(() => done());
  }

  /** Calls when all that was written is with the system, or the peer is gone; at once if so already. */
  whenTaken(call: () => void): void {
    this.#onTaken = call;
    if (this.writableLength === 0) this.#taken();
  }

  #taken(): void {
    const call = this.#onTaken;
    this.#onTaken = undefined;
    call?.();
  }

  /** What `node:tls` gives up still has an alert to send; see {@linkcode abandon}. */
  override destroy(): this {
    return this;
  }

  /** The connection is closed: lets `node:tls` let go of it. */
  abandon(): void {
    super.destroy();
  }
}
