/** What sessions add to the tally of their worker, while they last and when they have ended. */

import type { Backend } from "../pool/backend.ts";
import { observe } from "../pool/histogram.ts";
import * as tally from "../pool/tally.ts";
import type { Session } from "./session.ts";
import { END_REASONS } from "./record.ts";

/** Stands for the pool of sessions that were refused before they had one; no name has parentheses. */
export const NO_POOL = { name: "(none)" };

export class Accounts {
  readonly #tally = new tally.Tally(END_REASONS.length);

  /** Counts what of a session has moved, or was dropped, since the last time; asked with every tick, and at the end. */
  countBytes(session: Session): void {
    const drops = session.newDrops();
    if (drops !== undefined) {
      const cells = this.#of(session, session.backend);
      add(cells, tally.DROPPED_OVER_LIMIT, drops.overLimit);
      add(cells, tally.DROPPED_NO_ROOM, drops.noRoom);
    }
    const { activity } = session;
    const { bytesIn, bytesOut } = activity;
    if (bytesIn === activity.countedIn && bytesOut === activity.countedOut) return;
    const cells = this.#of(session, session.backend);
    add(cells, tally.BYTES_IN, bytesIn - activity.countedIn);
    add(cells, tally.BYTES_OUT, bytesOut - activity.countedOut);
    activity.countedIn = bytesIn;
    activity.countedOut = bytesOut;
  }

  /** Counts a session that has ended. */
  countSession(session: Session): void {
    this.countBytes(session);
    const { attempts, backend, queuedMs } = session;
    const cells = this.#of(session, backend);
    add(cells, tally.ENDS + END_REASONS.indexOf(session.endReason), 1);
    observe(cells, tally.SESSION_SECONDS, session.ageMs / 1_000);
    if (backend !== undefined) observe(cells, tally.DIAL_SECONDS, session.dialMs / 1_000);
    if (attempts > 1) add(cells, tally.RETRIES, attempts - 1);
    for (const failed of session.failedDials ?? []) {
      if (failed.isBackends) add(this.#of(session, failed.backend), tally.DIAL_FAILURES, 1);
    }
    if (queuedMs !== undefined) {
      observe(this.#of(session, undefined), tally.QUEUE_SECONDS, queuedMs / 1_000);
    }
  }

  /** Counts a session whose dial failed for want of something of this machine. */
  countShortage(session: Session, backend: Backend): void {
    add(this.#of(session, backend), tally.SHORT_DIALS, 1);
  }

  /** What has been added since the last time. */
  handOver(): tally.TallyEntry[] {
    return this.#tally.handOver();
  }

  #of(session: Session, backend: Backend | undefined): Float64Array {
    return this.#tally.of(session.listener, session.pool ?? NO_POOL, backend);
  }
}

function add(cells: Float64Array, cell: number, amount: number): void {
  cells[cell] = (cells[cell] ?? 0) + amount;
}
