/** The connections of a load, as their engine drives them: told by calling, and without promises on the way of a request. Types. */

import type { Endpoint } from "../core/endpoint.ts";

/** What becomes of a connection; never told before `begin` has returned, and nothing once it is closed. None of these throws. */
export interface LinkEvents {
  /** Bytes came: the first `length` of these, until the call returns. */
  received(bytes: Uint8Array<ArrayBuffer>, length: number): void;
  /** The system has taken all that was to be sent, after it had not. */
  drained(): void;
  /** The peer has ended its sending side. */
  ended(): void;
  /** The connection is broken, for this reason where it is known. The last that is told. */
  lost(error: unknown): void;
}

/** A connection, or a socket for the datagrams of one peer: each is sent, and received, as a whole. Who was given it closes it. */
export interface Link {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  /** Begins to tell, and sends first what comes before the first request. Call it once. */
  begin(on: LinkEvents, preface: Uint8Array<ArrayBuffer> | undefined): void;
  /** Whether the system has taken all that was to be sent. */
  readonly isClear: boolean;
  /** What was to be sent and the system has not taken yet. */
  readonly unsentBytes: number;
  /** Sends bytes, which are not to be changed until they are taken. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Ends the sending side after what was to be sent. */
  endSending(): void;
  /** May be called again. */
  close(): void;
}

export interface DialResult {
  /** It can be written to: TLS, where it is spoken, is open. */
  connected(link: Link): void;
  failed(error: unknown): void;
}

/** The sockets and the time of one thread. */
export interface Driver {
  /**
   * Dials once more.
   *
   * @return Gives it up: nothing is told any more.
   */
  dial(on: DialResult): () => void;
  /** Calls `onAlarm` so many milliseconds from now, or somewhat later, and not when it was told before. */
  setAlarm(ms: number): void;
  every(ms: number, call: () => void): () => void;
  /** Calls when what goes on now is over. */
  soon(call: () => void): void;
  /** Call it when all connections are closed. */
  close(): Promise<void>;
}

/** Makes the driver of this thread. */
export type MakeDriver = (onAlarm: () => void) => Driver;
