/** A connection of the server role: ended when it is idle for too long, and closed once. */

import type { CoarseClock, Watched } from "../core/coarse_clock.ts";
import type { Connection } from "../core/connection.ts";
import type { Exchange } from "./exchange.ts";
import type { ServedSocket } from "./accepting.ts";

/** How long a peer that has had its answer may take to go. */
const LINGER_MS = 2_000;

export class ServedConnection implements Connection, Watched {
  readonly #socket: ServedSocket;
  readonly #clock: CoarseClock;
  readonly #inTurn: (call: () => void) => void;
  readonly #idleTimeoutMs: number;
  /** Whether bytes have moved since the last tick, which takes note of it. */
  #hasMoved = false;
  #lastActiveMs: number;
  /** By then it is over, or greeted. */
  #deadlineMs = Infinity;
  /** Set while it is greeted. */
  #rejectGreeting: ((error: Error) => void) | undefined;
  #closed = false;

  /**
   * @param inTurn Calls now, or in a later turn of the event loop.
   * @param idleTimeoutMs 0 is none.
   */
  constructor(
    socket: ServedSocket,
    clock: CoarseClock,
    inTurn: (call: () => void) => void,
    idleTimeoutMs: number,
  ) {
    this.#socket = socket;
    this.#clock = clock;
    this.#inTurn = inTurn;
    this.#idleTimeoutMs = idleTimeoutMs === 0 ? Infinity : idleTimeoutMs;
    this.#lastActiveMs = clock.exactMs();
    clock.watch(this);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      const onRead = (filled: number | null): void => {
        this.#hasMoved = true;
        this.#inTurn(() => resolve(filled));
      };
      this.#socket.read(buffer).then(onRead, reject);
    });
  }

  async write(bytes: Uint8Array): Promise<number> {
    const written = await this.#socket.write(bytes);
    this.#hasMoved = true;
    return written;
  }

  /** Runs an exchange, as engines do that can. */
  async exchange(exchange: Exchange): Promise<void> {
    await this.#socket.exchange?.(exchange, () => this.#hasMoved = true);
  }

  closeWrite(): Promise<void> {
    return this.#socket.closeWrite();
  }

  /**
   * Lets the peer have so long for what it has to send before a handler is asked; until that is there, it may be idle.
   *
   * @return Rejects when the connection is closed meanwhile.
   */
  beginGreeting(timeoutMs: number): Promise<never> {
    this.#deadlineMs = this.#clock.exactMs() + timeoutMs;
    return new Promise((_, reject) => this.#rejectGreeting = reject);
  }

  endGreeting(): void {
    this.#rejectGreeting = undefined;
    this.#deadlineMs = Infinity;
    this.#lastActiveMs = this.#clock.exactMs();
  }

  /** From now on the peer has only a moment. */
  beginLinger(): void {
    this.#deadlineMs = this.#clock.exactMs() + LINGER_MS;
  }

  onTick(nowMs: number): void {
    if (this.#hasMoved) {
      this.#hasMoved = false;
      this.#lastActiveMs = nowMs;
    }
    const isIdle = this.#rejectGreeting === undefined && nowMs - this.#lastActiveMs >= this.#idleTimeoutMs;
    if (isIdle || nowMs >= this.#deadlineMs) this.close();
  }

  /** Ends every read and write. May be called again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#clock.unwatch(this);
    this.#socket.close();
    this.#rejectGreeting?.(
      new Error("The connection was closed before the client was done with its greeting"),
    );
  }
}
