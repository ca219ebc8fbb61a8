// @ts-check

/** Asks for the status again and again: more slowly when it is large, at once when something has happened. */

import { fetchStatus, Problem } from "./api.js";

/** @import { Status } from "./api.js" */

const INTERVAL_MS = 1_000;
const LARGE_INTERVAL_MS = 3_000;

/** Up to as many backends the status is asked for each second. */
const LARGE_BACKENDS = 100;

/** Changes that come together are answered together, */
const SOON_MS = 100;

/** and changes that do not end make the page ask so often and no more. */
const SHORTEST_INTERVAL_MS = 500;

/**
 * @param {{ onStatus: (status: Status) => void, onProblem: (problem: Problem) => void }} listener
 */
export function pollStatus({ onStatus, onProblem }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let asking = false;
  let again = false;
  let hurrying = false;
  let askedAt = -Infinity;
  let paused = true;
  let first = true; // the second answer comes soon: only then there are rates

  const later = (/** @type {number} */ ms) => {
    clearTimeout(timer);
    timer = setTimeout(ask, ms);
  };

  const hurry = () => {
    if (hurrying) return;
    hurrying = true;
    later(Math.max(SOON_MS, askedAt + SHORTEST_INTERVAL_MS - performance.now()));
  };

  const ask = async () => {
    asking = true;
    again = hurrying = false;
    askedAt = performance.now();
    let interval = INTERVAL_MS;
    try {
      const status = await fetchStatus();
      const backends = status.pools.reduce((sum, pool) => sum + pool.backends.length, 0);
      if (backends > LARGE_BACKENDS && !first) interval = LARGE_INTERVAL_MS;
      first = false;
      onStatus(status);
    } catch (error) {
      onProblem(error instanceof Problem ? error : new Problem("The page has a fault", String(error)));
    }
    asking = false;
    if (paused) return;
    if (again) hurry();
    else later(interval);
  };

  return {
    /** Asks at once, or once more after the answer that is under way. */
    soon() {
      if (paused) return;
      if (asking) again = true;
      else hurry();
    },
    resume() {
      paused = false;
      if (!asking) later(0);
    },
    pause() {
      paused = true;
      hurrying = false;
      clearTimeout(timer);
    },
  };
}
