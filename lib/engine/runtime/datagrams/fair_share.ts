import { setImmediate } from "node:timers";

/**
 * After so many datagrams a socket pauses for a turn of the event loop: those that need not be waited for are received and sent within a
 * single turn, so that a socket to which they keep coming would block all others.
 */
const FAIR_SHARE = 32;

/** Counts the datagrams of a socket. */
export class FairShare {
  #count = 0;

  /** Whether it is time for {@linkcode nextTurn}. */
  spend(): boolean {
    return ++this.#count % FAIR_SHARE === 0;
  }
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
