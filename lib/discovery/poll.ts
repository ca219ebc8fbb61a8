// deno-lint-ignore-file no-await-in-loop -- one question after the other

/** Asks a source again and again. */

import { reasonOf } from "../core/errors.ts";
import { whyTooMany } from "../core/member_limit.ts";
import { sleep } from "../core/sleep.ts";
import { FIRST_PAUSE_MS, nextPauseMs } from "./pauses.ts";
import type { Found, Pause, Source } from "./source.ts";

/** What is found, and when it is asked for again. */
export interface Polled extends Found {
  readonly againMs: number;
}

/**
 * A source that is asked.
 *
 * @param ask Throws an error whose message is one sentence; given up at the stop.
 */
export function polling(ask: (stop: AbortSignal) => Promise<Polled>, pause: Pause = sleep): Source {
  return {
    follow: async (onFound, onTrouble, stop) => {
      let pauseMs = FIRST_PAUSE_MS;
      while (!stop.aborted) {
        let waitMs = pauseMs;
        try {
          const { members, refused, againMs } = await ask(stop);
          if (stop.aborted) return;
          const tooMany = whyTooMany(members.length);
          if (tooMany !== undefined) throw new Error(tooMany);
          onFound({ members, refused });
          waitMs = againMs;
          pauseMs = FIRST_PAUSE_MS;
        } catch (error) {
          if (stop.aborted) return;
          onTrouble(reasonOf(error));
          pauseMs = nextPauseMs(pauseMs);
        }
        await pause(waitMs, stop);
      }
    },
  };
}
