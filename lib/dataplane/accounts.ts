/** What sessions add to the tally of their worker, while they last and when they have ended. */

import * as tally from "../pool/tally.ts";
import type { LiveSession } from "./live_session.ts";
import { END_REASONS } from "./record.ts";

export class Accounts {
  readonly #tally = new tally.Tally(END_REASONS.length);

  /** Counts the bytes of a session that have moved since the last time; asked with every tick, and at the end. */
  countBytes(session: LiveSession): void {
    const { bytesIn, bytesOut } = session;
    const listener = session.entrance.row;
    const backend = session.backend?.row;
    const newIn = bytesIn - session.countedIn;
    const newOut = bytesOut - session.countedOut;
    if (newIn > 0) this.#tally.add(listener, backend, tally.BYTES_IN, newIn);
    if (newOut > 0) this.#tally.add(listener, backend, tally.BYTES_OUT, newOut);
    session.countedIn = bytesIn;
    session.countedOut = bytesOut;
  }

  /** Counts a session that has ended. */
  countSession(session: LiveSession): void {
    const { attempts } = session;
    const listener = session.entrance.row;
    const backend = session.backend?.row;
    this.countBytes(session);
    this.#tally.add(listener, backend, tally.ENDS + END_REASONS.indexOf(session.endReason), 1);
    this.#tally.observe(listener, backend, tally.SESSION_SECONDS, session.ageMs / 1_000);
    if (backend !== undefined) {
      this.#tally.observe(listener, backend, tally.DIAL_SECONDS, session.dialMs / 1_000);
    }
    if (attempts > 1) this.#tally.add(listener, backend, tally.RETRIES, attempts - 1);
    for (const failed of session.failedDials) {
      this.#tally.add(listener, failed.backend.row, tally.DIAL_FAILURES, 1);
    }
    if (session.queuedMs !== undefined) {
      this.#tally.observe(listener, undefined, tally.QUEUE_SECONDS, session.queuedMs / 1_000);
    }
  }

  /** What has been added since the last time. */
  handOver(): tally.TallyEntry[] {
    return this.#tally.handOver();
  }
}
