import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { TLSSocket } from "node:tls";
import type { Buffers } from "./buffers.ts";
import { CipherStream } from "./cipher_stream.ts";
import { type EarlyRead, releaseEarlyReads } from "./early_read.ts";
import type { RuntimeConn } from "./runtime_conn.ts";
import { TlsFault } from "./tls_fault.ts";

/** Starts `node:tls` on a stream of cipher text. It may go on to tell of failures after it has told that TLS is open. */
export type Handshake = (
  stream: Duplex,
  opened: (socket: TLSSocket) => void,
  failed: (error: unknown) => void,
) => void;

/** One for all: with its stack it would cost each connection 10 µs. */
const CLOSED = new Deno.errors.Interrupted("The connection was closed");

/** A read that waits for plain text. */
interface Reading {
  readonly into: Uint8Array;
  readonly resolve: (filled: number | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * TLS on a connection: to be read and written like the connection itself, but in plain text.
 *
 * Cipher text is read only while plain text is wanted, so that a slow reader slows its peer down. A peer that ends its connection
 * without having ended TLS (close_notify, RFC 8446, 6.1) has been cut off: reading fails. Except that many servers answer the end of
 * their client so; a peer that had sent something, was told the end, and has sent nothing since has come to its own.
 */
export class TlsConn implements RuntimeConn {
  isClosed = false;
  readonly #conn: RuntimeConn;
  readonly #buffers: Buffers;
  readonly #stream: CipherStream;
  /** What was read of the connection before. */
  #early: EarlyRead | undefined;
  /** What cipher text is read into. */
  #buffer: Uint8Array<ArrayBuffer>;
  #isPulling = false;
  #socket: TLSSocket | undefined;
  /** Plain text that was not asked for yet: no more than one piece of cipher text has. */
  readonly #plain: Uint8Array[] = [];
  #reading: Reading | undefined;
  /** Ends the handshake, or the write, that is under way. */
  #rejectOpening: ((error: unknown) => void) | undefined;
  #rejectWriting: ((error: unknown) => void) | undefined;
  #hasPeerEnded = false;
  /** Whether it has sent plain text: ever, and since it was told the end. */
  #hasPeerSent = false;
  #hasPeerSentSince = false;
  #wasToldEnd = false;
  /** Why nothing more can be written. */
  #writeFailure: unknown;
  /** Why there is nothing more to be had. */
  #failure: unknown;

  /**
   * Owns `conn` from here on.
   *
   * @param early What was read of it, which is given back to `buffers`.
   */
  constructor(conn: RuntimeConn, buffers: Buffers, early?: EarlyRead) {
    this.#conn = conn;
    this.#buffers = buffers;
    this.#stream = new CipherStream(conn, (error) => this.#failWriting(error));
    this.#early = early;
    this.#buffer = early?.buffer ?? buffers.small();
    // Messages of the handshake follow one another, which Nagle's algorithm would delay.
    if ("setNoDelay" in conn) quietly(() => (conn as Deno.TcpConn).setNoDelay(true));
  }

  get localAddr(): Deno.Addr {
    return this.#conn.localAddr;
  }

  get remoteAddr(): Deno.Addr {
    return this.#conn.remoteAddr;
  }

  setKeepAlive(isOn: boolean): void {
    if ("setKeepAlive" in this.#conn) (this.#conn as Deno.TcpConn).setKeepAlive(isOn);
  }

  /**
   * Opens TLS. Call it once, before anything is read or written.
   *
   * @throws What `handshake` has failed with, or reading; the peer was sent what it is to know.
   */
  open(handshake: Handshake): Promise<TLSSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
    this.#rejectOpening = reject;
    const opened = (socket: TLSSocket): void => {
      this.#rejectOpening = undefined;
      this.#socket = socket;
      socket.on("data", (bytes: Uint8Array) => {
        this.#hasPeerSent = true;
        this.#hasPeerSentSince = this.#wasToldEnd;
        this.#plain.push(bytes);
        this.#serve();
      });
      socket.on("end", () => {
        this.#hasPeerEnded = true;
        this.#serve();
      });
      socket.on("error", (error) => this.#fail(error));
      resolve(socket);
    };
    try {
      handshake(this.#stream, opened, (error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
    this.#pull();
    return promise;
  }

  read(into: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#reading = { into, resolve, reject };
      this.#serve();
      this.#pull();
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      const socket = this.#toWrite(reject);
      // What it calls back for is encrypted, but not taken yet.
      socket?.write(bytes, (error) => {
        if (error) return reject(error);
        this.#stream.whenTaken(() => {
          this.#rejectWriting = undefined;
          resolve(bytes.length);
        });
      });
    });
  }

  /** Ends TLS in this direction, and then the connection. */
  closeWrite(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.#toWrite(reject);
      this.#wasToldEnd = true;
      socket?.end(() => {
        this.#stream.whenTaken(() => {
          this.#rejectWriting = undefined;
          resolve();
        });
      });
    });
  }

  /** Ends the connection in this direction, but not TLS: so its peer learns that this is no regular end. */
  cut(): Promise<void> {
    return this.#conn.closeWrite();
  }

  /** Closes the connection at once; what ends regularly has been given its end by {@linkcode closeWrite} before. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    quietly(() => this.#conn.close());
    this.#fail(CLOSED);
    this.#socket?.destroy();
    this.#stream.abandon();
    if (!this.#isPulling) this.#release();
  }

  /** @return Undefined when nothing can be written any more, which was told. */
  #toWrite(reject: (error: unknown) => void): TLSSocket | undefined {
    const failure = this.#failure ?? this.#writeFailure;
    if (failure === undefined) this.#rejectWriting = reject;
    else reject(failure);
    return failure === undefined ? this.#socket : undefined;
  }

  /** Whether cipher text is to be read. */
  get #isWanting(): boolean {
    return this.#failure === undefined && !this.#hasPeerEnded &&
      (this.#reading !== undefined || this.#rejectOpening !== undefined);
  }

  #pull(): void {
    if (this.#isPulling || !this.#isWanting) return;
    this.#isPulling = true;
    (this.#early?.filled ?? this.#conn.read(this.#buffer)).then(this.#onCipher, this.#onReadFailed);
  }

  readonly #onCipher = (filled: number | null): void => {
    this.#isPulling = false;
    if (this.isClosed) return this.#release();
    if (filled === null) {
      // What has come before it may tell in this turn that TLS has ended, too.
      setImmediate(() => this.#connEnded());
      return;
    }
    try {
      this.#stream.push(Buffer.copyBytesFrom(this.#buffer, 0, filled));
      this.#takeNextBuffer(filled);
    } catch (error) {
      return this.#fail(error);
    }
    // Not at once: this turn may still tell more, and others have their turns, whatever this peer sends.
    if (this.#isWanting) setImmediate(() => this.#pull());
  };

  #connEnded(): void {
    if (this.#hasPeerEnded) return;
    if (
      this.#writeFailure !== undefined || !this.#wasToldEnd || !this.#hasPeerSent || this.#hasPeerSentSince
    ) {
      return this.#fail(this.#writeFailure ?? new TlsFault("it ended the connection"));
    }
    this.#hasPeerEnded = true;
    this.#serve();
  }

  readonly #onReadFailed = (error: unknown): void => {
    this.#isPulling = false;
    if (this.isClosed) this.#release();
    this.#fail(this.#writeFailure ?? error);
  };

  #takeNextBuffer(filled: number): void {
    const early = this.#early;
    this.#early = early?.next;
    if (this.#early === undefined) this.#buffer = this.#buffers.fitted(this.#buffer, filled);
    else {
      this.#buffers.giveBack(this.#buffer);
      this.#buffer = this.#early.buffer;
    }
  }

  /** Gives the one who reads what there is. */
  #serve(): void {
    const reading = this.#reading;
    if (reading === undefined) return;
    const [first] = this.#plain;
    if (first === undefined && !this.#hasPeerEnded && this.#failure === undefined) return;
    this.#reading = undefined;
    if (first !== undefined) reading.resolve(this.#take(first, reading.into));
    else if (this.#hasPeerEnded) reading.resolve(null);
    else reading.reject(this.#failure);
  }

  #take(first: Uint8Array, into: Uint8Array): number {
    const filled = Math.min(first.length, into.length);
    into.set(filled === first.length ? first : first.subarray(0, filled));
    if (filled === first.length) this.#plain.shift();
    else this.#plain[0] = first.subarray(filled);
    return filled;
  }

  /**
   * The peer is gone, but what it has sent before can still be read, and its alert tells the reason. Reading finds the end by itself,
   * and tells of this failure if there was nothing better.
   */
  #failWriting(error: unknown): void {
    this.#writeFailure ??= error;
    this.#rejectWriting?.(error);
  }

  /** Only what is told first stands. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const reject = this.#rejectOpening;
    this.#rejectOpening = undefined;
    // The alert is written a moment after the failure is told.
    if (reject !== undefined) setImmediate(() => this.#stream.whenTaken(() => reject(error)));
    this.#rejectWriting?.(error);
    this.#serve();
  }

  #release(): void {
    this.#buffers.giveBack(this.#buffer);
    const next = this.#early?.next;
    if (next !== undefined) void releaseEarlyReads(next, this.#buffers);
  }
}

/** What a connection can no longer be told does not matter: reading or writing says that it is gone. */
function quietly(call: () => void): void {
  try {
    call();
  } catch {
    // See above.
  }
}
