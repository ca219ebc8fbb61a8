import type { DialEvents, Socket } from "../engine/contract.ts";
import type { TlsClient, TlsEvents } from "../engine/tls_contract.ts";

/** What a dial is to do when it is connected. */
export interface TlsDialOptions {
  readonly tls: TlsClient;
  /** Where the backend is: a name, or an IP address; undefined for a Unix socket. */
  readonly host: string | undefined;
  /** Gives the socket what is sent before TLS. */
  readonly introduce: (socket: Socket) => void;
}

/** TLS as a part of a dial: it is connected when TLS is open, and a dial that comes so far and no further has failed. */
export class TlsDial implements DialEvents, TlsEvents {
  readonly #options: TlsDialOptions;
  readonly #on: DialEvents;
  #socket: Socket | undefined;

  constructor(options: TlsDialOptions, on: DialEvents) {
    this.#options = options;
    this.#on = on;
  }

  connected(socket: Socket): void {
    const { tls, host, introduce } = this.#options;
    this.#socket = socket;
    introduce(socket);
    socket.startTls(tls, host, this);
  }

  dialFailed(error: unknown): void {
    this.#on.dialFailed(error);
  }

  opened(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) this.#on.connected(socket);
  }

  tlsFailed(why: string): void {
    this.giveUp();
    this.#on.dialFailed(new TlsDialFailure(why));
  }

  fault(fault: unknown): void {
    this.#on.fault(fault);
  }

  /** Whether the backend is reached, and TLS is not open yet. */
  get isOpening(): boolean {
    return this.#socket !== undefined;
  }

  /** Closes what TLS is being opened on. */
  giveUp(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** The backend was reached, but TLS could not be opened, for a reason in plain words. */
export class TlsDialFailure extends Error {
  override readonly name: string = "TlsDialFailure";

  constructor(why: string) {
    super(`TLS: ${why}`);
  }
}
