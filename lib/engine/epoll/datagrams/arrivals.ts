import type { Libc } from "../libc.ts";
import { makeBuffers, Messages } from "./messages.ts";

/** Whose datagrams may wait where they were received. */
interface Waiting {
  /** They are kept elsewhere from here on. */
  keep(arrivals: Arrivals): void;
}

/** What clients send, on its way to the backends: the datagrams of one call. */
export class Arrivals {
  readonly received: Messages;
  /** Over the same buffers, for a socket that is connected. */
  readonly sent: Messages;
  readonly #waiting: Waiting[] = [];

  constructor(libc: Libc) {
    const buffers = makeBuffers();
    this.received = new Messages(libc, buffers, true);
    this.sent = new Messages(libc, buffers, false);
  }

  /** Some of these datagrams wait here: most backends are there before the next call, and nothing has to be copied. */
  holdFor(waiting: Waiting): void {
    this.#waiting.push(waiting);
  }

  /** Call it before the buffers are used again. */
  release(): void {
    for (const waiting of this.#waiting) waiting.keep(this);
    this.#waiting.length = 0;
  }
}
