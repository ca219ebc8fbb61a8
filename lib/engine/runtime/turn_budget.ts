/**
 * How many chunks one turn of the event loop passes on when very many sessions are busy.
 *
 * The runtime lets one turn do 128 reads (the cooperative budget of a tokio task, https://docs.rs/tokio/1/tokio/task/coop/).
 * Reads beyond that are put off behind all reads that become ready meanwhile, and of those put off the last is served first. As
 * long as 128 other sessions answer promptly, some sessions are served every turn and the rest not for a second. So a turn passes
 * on half as many chunks. The other half of the runtime's budget is left for the reads that it has put off, and chunks beyond our
 * half wait here, in order of arrival.
 */

import { setImmediate } from "node:timers";

const READS_PER_TURN = 128;

/** Chunks that one turn passes on. */
export const MAX_TURN_CHUNKS = READS_PER_TURN / 2;

/** Below this many chunks the end of the turn is not tracked. */
const BUSY_TURN_CHUNKS = MAX_TURN_CHUNKS / 2;

/** When no other chunk arrives, the waiting ones are passed on after this. */
const QUIET_MS = 1;

/** The chunks that one worker may pass on in a turn. */
export class TurnBudget {
  readonly #sessions: { readonly size: number };
  /** Chunks passed on since the last busy turn ended. */
  #spent = 0;
  readonly #waiting: (() => void)[] = [];
  /** Set after a turn that left chunks waiting. The next chunk that arrives begins another turn, or this timer does. */
  #quietTimer: ReturnType<typeof setTimeout> | undefined;

  /** @param sessions Those of the worker. With few of them no chunk waits. */
  constructor(sessions: { readonly size: number }) {
    this.#sessions = sessions;
  }

  /** Passes a chunk on by calling: at once, or in a later turn. */
  spend(pass: () => void): void {
    // Each session has two reads, so even all of them at once are within the runtime's budget.
    if (this.#sessions.size <= READS_PER_TURN / 2) return pass();
    if (this.#quietTimer !== undefined) this.#beginTurn();
    if (this.#spent === MAX_TURN_CHUNKS) {
      this.#waiting.push(pass);
      return;
    }
    if (++this.#spent === BUSY_TURN_CHUNKS) setImmediate(() => this.#endTurn());
    pass();
  }

  #endTurn(): void {
    if (this.#waiting.length === 0) this.#spent = 0;
    // Not at once: only a chunk or a timer, which come from the system, shows that the runtime has polled its sockets again.
    else this.#quietTimer = setTimeout(() => this.#beginTurn(), QUIET_MS);
  }

  #beginTurn(): void {
    clearTimeout(this.#quietTimer);
    this.#quietTimer = undefined;
    const next = this.#waiting.splice(0, MAX_TURN_CHUNKS);
    this.#spent = next.length;
    if (next.length >= BUSY_TURN_CHUNKS) setImmediate(() => this.#endTurn());
    for (const pass of next) pass();
  }
}
