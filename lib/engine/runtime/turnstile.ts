/**
 * How much one turn of the event loop passes on when very many sessions have something to say.
 *
 * The runtime lets a turn do 128 reads (the cooperative budget of a tokio task, https://docs.rs/tokio/1/tokio/task/coop/).
 * Reads that find it spent are put behind all that become ready meanwhile, and among them the last comes first: as long as
 * 128 others answer promptly, some sessions are served every turn and the rest not for a second. So a turn passes on half
 * as many. The runtime then has the other half of its budget left for those that it has put off, and whoever is too many
 * waits here, in the order of arrival.
 */

import { setImmediate } from "node:timers";

const READS_A_TURN = 128;

/** Chunks that one turn passes on. */
export const MAX_TURN_CHUNKS = READS_A_TURN / 2;

/** From here on it is worth knowing when the turn ends; fewer chunks a turn need nothing of all this. */
const BUSY_TURN_CHUNKS = MAX_TURN_CHUNKS / 2;

/** When nothing more arrives, those who wait go on after this. */
const LULL_MS = 1;

/** The turnstile of one worker. */
export class Turnstile {
  readonly #sessions: { readonly size: number };
  /** Passed on since the end of the last busy turn. */
  #passed = 0;
  readonly #waiting: (() => void)[] = [];
  /** Set when a turn is over that has left somebody waiting: the next chunk to arrive begins another one. */
  #lull: ReturnType<typeof setTimeout> | undefined;

  /** @param sessions Those of the worker. */
  constructor(sessions: { readonly size: number }) {
    this.#sessions = sessions;
  }

  /** Lets a chunk pass: at once, or when its turn has come. */
  enter(pass: () => void): void {
    // A session has two reads, so that these are not too many even all at once.
    if (this.#sessions.size <= READS_A_TURN / 2) return pass();
    if (this.#lull !== undefined) this.#beginTurn();
    if (this.#passed === MAX_TURN_CHUNKS) {
      this.#waiting.push(pass);
      return;
    }
    if (++this.#passed === BUSY_TURN_CHUNKS) setImmediate(() => this.#endTurn());
    pass();
  }

  #endTurn(): void {
    if (this.#waiting.length === 0) this.#passed = 0;
    // Not at once: only what comes from the system's side, a chunk or a timer, shows that the runtime has looked there.
    else this.#lull = setTimeout(() => this.#beginTurn(), LULL_MS);
  }

  #beginTurn(): void {
    clearTimeout(this.#lull);
    this.#lull = undefined;
    const next = this.#waiting.splice(0, MAX_TURN_CHUNKS);
    this.#passed = next.length;
    if (next.length >= BUSY_TURN_CHUNKS) setImmediate(() => this.#endTurn());
    for (const pass of next) pass();
  }
}
