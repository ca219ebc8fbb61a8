/**
 * The relay: bytes from client to backend and back, until both directions have ended.
 *
 * What one side has sent is received into the buffer that all sessions share and sent on at once. Only what the other side does not
 * take is held back, and then nothing more is received from the first: a slow reader slows its writer. The end of a direction is
 * passed on as that alone (half-close, RFC 9293, 3.6).
 */

import type { Direction, Pace, Paces, RelayEvents } from "../contract.ts";
import { COPY_BYTES, RECEIVE_BYTES } from "./buffers.ts";
import type { EpollClient } from "./client.ts";
import { type EpollSocket, GONE, type SocketOwner } from "./socket.ts";

/** What one direction moves before all others have their turn. */
const FAIR_SHARE_BYTES = RECEIVE_BYTES;

const IN_ENDED = 1;
const OUT_ENDED = 2;
const BOTH_ENDED = 3;
/** The backend takes nothing more; what it has sent is still passed on. */
const BACKEND_GONE = 4;
/** The relay is over. */
const OVER = 8;
/** The client takes nothing more; what it has sent is still passed on. */
const CLIENT_GONE = 16;
const BOTH_GONE = BACKEND_GONE | CLIENT_GONE;
/** A direction has moved its share, and goes on in the next round. */
const IN_POSTPONED = 32;
const OUT_POSTPONED = 64;
/** What a direction has received is held back until its pace lets it pass. */
const IN_PACED = 128;
const OUT_PACED = 256;

const NOTHING = new Uint8Array(0);

/** Relays as {@linkcode Engine.relay} says. */
export function relay(client: EpollClient, backend: EpollSocket, on: RelayEvents, paces?: Paces): void {
  new Relay(client, backend, on, paces).begin();
}

class Relay implements SocketOwner {
  readonly #client: EpollClient;
  readonly #backend: EpollSocket;
  readonly #on: RelayEvents;
  readonly #paces: Paces | undefined;
  #state = 0;
  /** Of the bytes that the backend takes next, these are not the client's. */
  #uncounted = 0;

  constructor(client: EpollClient, backend: EpollSocket, on: RelayEvents, paces: Paces | undefined) {
    this.#client = client;
    this.#backend = backend;
    this.#on = on;
    this.#paces = paces;
  }

  begin(): void {
    const client = this.#client;
    const backend = this.#backend;
    client.owner = backend.owner = this;
    try {
      if (backend.sentFirst !== undefined || client.early !== undefined) this.#sendEarly();
      this.#pass(client, backend, "in");
      this.#pass(backend, client, "out");
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  onReady(socket: EpollSocket, isWritable: boolean): void {
    const isClient = socket === this.#client;
    const other = isClient ? this.#backend : this.#client;
    try {
      if (
        isWritable && socket.held !== undefined && (this.#state & (isClient ? OUT_PACED : IN_PACED)) === 0
      ) {
        this.#flush(socket, other, isClient ? "out" : "in");
      }
      this.#pass(socket, other, isClient ? "in" : "out");
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  onClosed(socket: EpollSocket): void {
    // What has not passed yet is not delivered any more.
    if ((this.#state & (socket === this.#client ? OUT_PACED : IN_PACED)) !== 0) socket.drop();
    if (this.#client.isClosed && this.#backend.isClosed) this.#finish();
  }

  /** Receives from one side and sends to the other for as long as there is something and it is taken. */
  #pass(source: EpollSocket, sink: EpollSocket, direction: Direction): void {
    const { buffers, loop } = source.tools;
    const postponed = direction === "in" ? IN_POSTPONED : OUT_POSTPONED;
    if ((this.#state & postponed) !== 0) return;
    const pace = this.#paces?.[direction];
    let moved = 0;
    while (source.isReadable && sink.held === undefined && this.#goesOn(direction)) {
      if (moved >= FAIR_SHARE_BYTES) {
        this.#state |= postponed;
        return loop.soon(() => {
          this.#state &= ~postponed;
          this.onReady(source, false);
        });
      }
      // The other direction may keep a whole buffer. It holds up this one no more than by smaller steps.
      const isRoomShort = source.held !== undefined && source.held.length > COPY_BYTES;
      const { current } = buffers;
      const room = pace === undefined ? current : current.subarray(0, pace.mostBytes);
      const got = source.receive(isRoomShort ? room.subarray(0, COPY_BYTES) : room);
      if (got > 0) {
        moved += got;
        if (pace === undefined || this.#mayPass(sink, got, got, direction, pace)) {
          this.#send(sink, got, direction);
        }
      } else if (got === GONE) this.#gone(source);
    }
    // Of a side that takes nothing more, what is there by now is all.
    const gone = direction === "in" ? CLIENT_GONE : BACKEND_GONE;
    const isAll = source.isAtEnd || ((this.#state & gone) !== 0 && !source.isReadable);
    if (isAll && sink.held === undefined && this.#goesOn(direction)) this.#end(sink, direction);
  }

  /** Sends what was received just now. */
  #send(sink: EpollSocket, length: number, direction: Direction): void {
    const taken = sink.send(length);
    if (taken === GONE) return this.#gone(sink);
    if (sink.held !== undefined) this.#on.writesPending(1);
    this.#count(direction, taken);
  }

  /** Whether what was received just now may be sent; otherwise it is held back until it may. Of `length` bytes `bytes` count. */
  #mayPass(sink: EpollSocket, length: number, bytes: number, direction: Direction, pace: Pace): boolean {
    if (pace.ask(bytes, () => this.#resume(direction))) return true;
    this.#state |= direction === "in" ? IN_PACED : OUT_PACED;
    sink.held = sink.tools.buffers.hold(0, length);
    this.#on.writesPending(1);
    return false;
  }

  /** What a direction has held back may pass. */
  #resume(direction: Direction): void {
    this.#state &= ~(direction === "in" ? IN_PACED : OUT_PACED);
    const isIn = direction === "in";
    const [source, sink] = isIn ? [this.#client, this.#backend] : [this.#backend, this.#client];
    // Its peer may have gone meanwhile.
    if ((this.#state & OVER) !== 0 || sink.held === undefined) return;
    try {
      this.#flush(sink, source, direction);
    } catch (fault) {
      this.#on.fault(fault);
    }
  }

  /** Sends what was held back, and goes on with the direction. */
  #flush(sink: EpollSocket, source: EpollSocket, direction: Direction): void {
    const taken = sink.flush();
    if (taken === GONE) return this.#gone(sink);
    this.#count(direction, taken);
    if (sink.held !== undefined) return;
    this.#on.writesPending(-1);
    this.#pass(source, sink, direction);
  }

  /** What the backend gets before anything else: a preface, and what was read ahead of the client. */
  #sendEarly(): void {
    const { current } = this.#client.tools.buffers;
    const preface = this.#backend.sentFirst ?? NOTHING;
    const early = this.#client.early ?? NOTHING;
    this.#client.early = undefined;
    this.#uncounted = preface.length;
    current.set(preface);
    current.set(early, preface.length);
    const length = preface.length + early.length;
    if (length === 0) return;
    const pace = early.length === 0 ? undefined : this.#paces?.in;
    if (pace === undefined || this.#mayPass(this.#backend, length, early.length, "in", pace)) {
      this.#send(this.#backend, length, "in");
    }
  }

  #count(direction: Direction, taken: number): void {
    const uncounted = direction === "in" ? Math.min(this.#uncounted, taken) : 0;
    this.#uncounted -= uncounted;
    if (taken > uncounted) this.#on.moved(direction, taken - uncounted);
  }

  /** A direction has come to its end, and all of it was passed on. */
  #end(sink: EpollSocket, direction: Direction): void {
    if (direction === "in" && (this.#state & CLIENT_GONE) !== 0) return this.#on.clientGone();
    if (direction === "out" && (this.#state & BACKEND_GONE) !== 0) {
      this.#on.clientTold();
      return this.#finish();
    }
    const ended = direction === "in" ? IN_ENDED : OUT_ENDED;
    if ((this.#state & ended) !== 0) return;
    this.#state |= ended;
    const areBoth = (this.#state & BOTH_ENDED) === BOTH_ENDED;
    // Where both have ended, closing says it as well.
    if (!areBoth && !sink.endSending()) return this.#gone(sink);
    this.#on.directionEnded(direction);
    if (areBoth) this.#finish();
  }

  /** Receiving from it, or sending to it, has failed. What it sent before that is passed on first. */
  #gone(socket: EpollSocket): void {
    const isClient = socket === this.#client;
    const gone = isClient ? CLIENT_GONE : BACKEND_GONE;
    if ((this.#state & gone) !== 0) return;
    this.#state |= gone;
    if (socket.held !== undefined) {
      socket.drop();
      this.#on.writesPending(-1);
    }
    socket.readAgain();
    if (!isClient) this.#on.backendGone();
    if ((this.#state & BOTH_GONE) === BOTH_GONE) this.#on.clientGone();
    else if (isClient) this.#pass(socket, this.#backend, "in");
    else this.#pass(socket, this.#client, "out");
  }

  #finish(): void {
    if ((this.#state & OVER) !== 0) return;
    this.#state |= OVER;
    this.#client.owner = this.#backend.owner = undefined;
    this.#on.finished();
  }

  /** Whether there is still something to pass on in a direction. */
  #goesOn(direction: Direction): boolean {
    if ((this.#state & OVER) !== 0 || this.#client.isClosed || this.#backend.isClosed) return false;
    return (this.#state & (direction === "in" ? BACKEND_GONE : CLIENT_GONE)) === 0;
  }
}
