import { joined } from "../../core/joined.ts";
import type { ClientSocket, FirstBytesEvents, RelayEvents } from "../contract.ts";
import type { EngineTools } from "./tools.ts";
import { EpollSocket, GONE, noTls, type SocketOwner } from "./socket.ts";

const NOTHING = new Uint8Array(0);

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
    this.owner = new BeforeRelay(on);
  }

  protected override leave(): void {
    super.leave();
    this.tools.loads.remove();
  }

  hasEnded(): Promise<boolean> {
    const { owner } = this;
    if (this.hasPeerEnded || !(owner instanceof BeforeRelay)) return Promise.resolve(this.hasPeerEnded);
    return new Promise((resolve) => owner.onEnded = () => resolve(true));
  }

  firstBytes(
    isEnough: (bytes: Uint8Array) => boolean,
    on: FirstBytesEvents,
    maxBytes: number,
  ): void {
    if (!(this.owner instanceof BeforeRelay)) {
      throw new TypeError("Cannot read first bytes: nothing is read ahead");
    }
    const asking = new FirstBytes(this, isEnough, on, maxBytes);
    this.owner = asking;
    this.tools.loop.soon(() => this.owner === asking && asking.begin());
  }

  skip(bytes: number): void {
    const { early = NOTHING } = this;
    if (bytes > early.length) throw new RangeError(`Cannot skip ${bytes} bytes: ${early.length} were read`);
    this.early = early.subarray(bytes);
  }

  openTls(): never {
    throw noTls();
  }
}

/** Waits for a backend to be found; what the client sends meanwhile stays in the system's buffer. */
class BeforeRelay implements SocketOwner {
  readonly #on: Pick<RelayEvents, "clientGone">;
  /** Called when the client ends its sending side. Declared alone, as few wait for that. */
  declare onEnded: (() => void) | undefined;

  constructor(on: Pick<RelayEvents, "clientGone">) {
    this.#on = on;
  }

  onReady(socket: EpollSocket): void {
    if (socket.hasPeerGone) {
      // Told once, whatever events follow.
      socket.owner = undefined;
      this.#on.clientGone();
    } else if (socket.hasPeerEnded) this.onEnded?.();
  }

  onClosed(): void {}
}

/** Collects the first bytes of a client, until they are enough. */
class FirstBytes implements SocketOwner {
  readonly #socket: EpollClient;
  readonly #isEnough: (bytes: Uint8Array) => boolean;
  readonly #on: FirstBytesEvents;
  readonly #maxBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;

  constructor(
    socket: EpollClient,
    isEnough: (bytes: Uint8Array) => boolean,
    on: FirstBytesEvents,
    maxBytes: number,
  ) {
    this.#socket = socket;
    this.#isEnough = isEnough;
    this.#on = on;
    this.#maxBytes = maxBytes;
    this.#bytes = socket.early ?? NOTHING;
  }

  onReady(): void {
    try {
      this.#receive();
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  onClosed(): void {}

  /** Looks at what is there already, then at what there is to receive. */
  begin(): void {
    try {
      if ((this.#bytes.length === 0 && !this.#socket.isAtEnd) || !this.#isDecided()) this.#receive();
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  /** Receives what there is, and tells if that decides it. */
  #receive(): void {
    const socket = this.#socket;
    while (socket.isReadable) {
      const { current } = socket.tools.buffers;
      const got = socket.receive(current.subarray(0, this.#maxBytes - this.#bytes.length));
      if (got === GONE) {
        socket.owner = undefined;
        return this.#on.clientGone();
      }
      if (got > 0) this.#bytes = joined(this.#bytes, current.subarray(0, got));
      if ((got > 0 || socket.isAtEnd) && this.#isDecided()) return;
    }
  }

  /** Whether it is decided, which was told then. */
  #isDecided(): boolean {
    const socket = this.#socket;
    const bytes = this.#bytes;
    const isEnough = bytes.length > 0 && this.#isEnough(bytes);
    // The one who was asked may have closed it.
    if (socket.owner !== this) return true;
    if (!isEnough && !socket.isAtEnd && bytes.length < this.#maxBytes) return false;
    socket.early = bytes;
    const before = new BeforeRelay(this.#on);
    socket.owner = before;
    if (isEnough) this.#on.enough(bytes);
    else this.#on.tooFew(bytes);
    // The event that brought these bytes may have told that it has gone as well; there will be no other.
    if (socket.hasPeerGone) {
      socket.tools.loop.soon(() => socket.owner === before && before.onReady(socket));
    }
    return true;
  }
}
