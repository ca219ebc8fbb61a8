/**
 * What backends answer, on its way to the clients: the answers to all flows of a listening socket that come in one round of the loop are
 * sent by one call.
 */

import type { Pace } from "../../contract.ts";
import { EAGAIN, EINTR } from "../errno.ts";
import type { Libc } from "../libc.ts";
import { MSG_NOSIGNAL, SYS_RECVMMSG, SYS_SENDMMSG } from "../linux.ts";
import type { Loop } from "../loop.ts";
import { BATCH, makeBuffers, Messages } from "./messages.ts";

/** What came of receiving: there may be more, there is no more, or the call has failed. */
export const MORE = 1;
export const DRAINED = 0;
export const FAILED = -1;

/** Whose answers they are. */
export interface Answered {
  readonly flow: {
    /** Where the answers are sent from. */
    readonly socket: { readonly fd: number };
    readonly name: Int32Array;
    readonly nameBytes: number;
    readonly localWords: Int32Array | undefined;
  };
  /** Undefined without a limit. */
  readonly paceOut: Pace | undefined;
  /** One of them was sent. */
  answered(bytes: number): void;
  /** One of them was not. */
  lost(): void;
}

/** In place of a length: it was not sent. */
const LOST = -1;

export class Answers {
  readonly #libc: Libc;
  readonly #loop: Loop;
  /** Over the same buffers. */
  readonly #received: Messages;
  readonly #sent: Messages;
  /** Whose they are, and how long. */
  readonly #relays: (Answered | undefined)[] = new Array(BATCH).fill(undefined);
  readonly #lengths = new Int32Array(BATCH);
  #count = 0;
  /** Where they are sent from. */
  #socket: Answered["flow"]["socket"] | undefined;
  #isDue = false;

  constructor(libc: Libc, loop: Loop) {
    this.#libc = libc;
    this.#loop = loop;
    const buffers = makeBuffers();
    this.#received = new Messages(libc, buffers, false);
    this.#sent = new Messages(libc, buffers, true);
  }

  /** Receives answers of a backend, as many as there is room for; they are sent at the end of the round at the latest. */
  receive(relay: Answered, fd: number): typeof MORE | typeof DRAINED | typeof FAILED {
    const { flow: { socket }, paceOut } = relay;
    if (this.#count === BATCH || this.#socket !== socket) this.flush();
    this.#socket = socket;
    const from = this.#count;
    const room = BATCH - from;
    const got = this.#libc.recvmmsg(SYS_RECVMMSG, fd, this.#received.from[from] as Uint8Array, room, 0, null);
    if (got < 0) {
      const errno = this.#libc.errno();
      return errno === EAGAIN ? DRAINED : errno === EINTR ? MORE : FAILED;
    }
    let count = from;
    for (let i = from; i < from + got; i++) {
      const length = this.#received.received(i);
      if (paceOut !== undefined && !paceOut.passes(length)) continue;
      // It takes the place of one that was dropped.
      if (count < i) this.#move(i, count, length);
      this.#address(count++, relay, length);
    }
    this.#count = count;
    if (!this.#isDue) {
      this.#isDue = true;
      this.#loop.soon(this.#onDue);
    }
    return got === room ? MORE : DRAINED;
  }

  /** Sends what there is now. What the system has no room for is dropped, as datagrams are. */
  flush(): void {
    const count = this.#count;
    const socket = this.#socket;
    if (count === 0 || socket === undefined) return;
    this.#count = 0;
    for (let at = 0; at < count;) {
      const header = this.#sent.from[at] as Uint8Array;
      const taken = this.#libc.sendmmsg(SYS_SENDMMSG, socket.fd, header, count - at, MSG_NOSIGNAL);
      if (taken > 0) {
        at += taken;
        continue;
      }
      const isFull = this.#libc.errno() === EAGAIN;
      // Any other error is of this one alone.
      const next = isFull ? count : at + 1;
      for (; at < next; at++) this.#lengths[at] = LOST;
    }
    for (let i = 0; i < count; i++) {
      const relay = this.#relays[i];
      const length = this.#lengths[i] as number;
      this.#relays[i] = undefined;
      if (length === LOST) relay?.lost();
      else relay?.answered(length);
    }
  }

  readonly #onDue = (): void => {
    this.#isDue = false;
    this.flush();
  };

  #move(from: number, to: number, length: number): void {
    const { buffers } = this.#received;
    buffers[to]?.set((buffers[from] as Uint8Array).subarray(0, length));
  }

  #address(i: number, relay: Answered, length: number): void {
    const { flow } = relay;
    this.#relays[i] = relay;
    this.#lengths[i] = length;
    this.#sent.setLength(i, length);
    this.#sent.setName(i, flow.name, flow.nameBytes);
    this.#sent.setLocal(i, flow.localWords);
  }
}
