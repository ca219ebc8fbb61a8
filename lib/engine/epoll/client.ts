import { type ClientSocket, type FirstBytesEvents, MAX_FIRST_BYTES, type RelayEvents } from "../contract.ts";
import type { EngineTools } from "./tools.ts";
import { EpollSocket, GONE, type SocketOwner } from "./socket.ts";

/** A connection that was accepted. */
export class EpollClient extends EpollSocket implements ClientSocket {
  /** What was read ahead, until the relay takes it. Declared alone, as most sockets have none. */
  declare early: Uint8Array<ArrayBuffer> | undefined;

  /** It has the options of the socket that listens. */
  override keepAlive(): void {}

  /** Owns the descriptor from here on. */
  constructor(fd: number, tools: EngineTools) {
    super(fd, tools);
    tools.loads.add();
  }

  /** Nothing is read: the system tells without it when a client leaves. */
  readAhead(on: Pick<RelayEvents, "clientGone">): void {
    this.owner = new Greeting(on);
  }

  protected override leave(): void {
    super.leave();
    this.tools.loads.remove();
  }

  hasEnded(): Promise<boolean> {
    const { owner } = this;
    if (this.hasPeerEnded || !(owner instanceof Greeting)) return Promise.resolve(this.hasPeerEnded);
    return new Promise((resolve) => owner.onEnded = () => resolve(true));
  }

  firstBytes(isEnough: (bytes: Uint8Array) => boolean, on: FirstBytesEvents): void {
    if (!(this.owner instanceof Greeting)) {
      throw new TypeError("Cannot read first bytes: nothing is read ahead");
    }
    const greeting = new FirstBytes(this, isEnough, on);
    this.owner = greeting;
    this.tools.loop.soon(() => this.owner === greeting && greeting.look());
  }
}

/** Waits for a backend to be found; what the client sends meanwhile stays in the system's buffer. */
class Greeting implements SocketOwner {
  readonly #on: Pick<RelayEvents, "clientGone">;
  /** Called when the client ends its sending side. Declared alone, as few wait for that. */
  declare onEnded: (() => void) | undefined;

  constructor(on: Pick<RelayEvents, "clientGone">) {
    this.#on = on;
  }

  onReady(socket: EpollSocket): void {
    if (socket.hasPeerGone) return this.#on.clientGone();
    if (socket.hasPeerEnded) this.onEnded?.();
  }

  onClosed(): void {}
}

/** Collects the first bytes of a client, until they are enough. */
class FirstBytes implements SocketOwner {
  readonly #socket: EpollClient;
  readonly #isEnough: (bytes: Uint8Array) => boolean;
  readonly #on: FirstBytesEvents;
  readonly #bytes = new Uint8Array(new ArrayBuffer(MAX_FIRST_BYTES));
  #length = 0;

  constructor(socket: EpollClient, isEnough: (bytes: Uint8Array) => boolean, on: FirstBytesEvents) {
    this.#socket = socket;
    this.#isEnough = isEnough;
    this.#on = on;
    const { early } = socket;
    if (early === undefined) return;
    this.#bytes.set(early);
    this.#length = early.length;
  }

  onReady(): void {
    this.look();
  }

  onClosed(): void {}

  /** Receives what there is, and tells if that decides it. */
  look(): void {
    try {
      this.#receive();
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  #receive(): void {
    const socket = this.#socket;
    while (!this.#isDecided() && socket.isReadable) {
      const got = socket.receive(this.#bytes.subarray(this.#length));
      if (got === GONE) return this.#on.clientGone();
      this.#length += got;
    }
  }

  /** Whether it is decided, which was told then. */
  #isDecided(): boolean {
    const bytes = this.#bytes.subarray(0, this.#length);
    const isEnough = this.#isEnough(bytes);
    if (!isEnough && !this.#socket.isAtEnd && this.#length < MAX_FIRST_BYTES) return false;
    this.#socket.early = bytes;
    this.#socket.owner = new Greeting(this.#on);
    if (isEnough) this.#on.enough(bytes);
    else this.#on.tooFew(bytes);
    return true;
  }
}
