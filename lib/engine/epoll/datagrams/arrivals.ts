import type { Libc } from "../libc.ts";
import { makeBuffers, Messages } from "./messages.ts";

/** What clients send, on its way to the backends: one call's datagrams, which are dealt with before the next call. */
export class Arrivals {
  readonly received: Messages;
  /** Over the same buffers, for a socket that is connected. */
  readonly sent: Messages;

  constructor(libc: Libc) {
    const buffers = makeBuffers();
    this.received = new Messages(libc, buffers, true);
    this.sent = new Messages(libc, buffers, false);
  }
}
