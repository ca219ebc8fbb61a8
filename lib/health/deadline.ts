/** The end of one check: its time is up, or checking as such has come to an end. */
export interface Deadline extends Disposable {
  /** Aborted at the end. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Whether it was the time that was up. */
  readonly isTimeUp: boolean;
  /**
   * Whether this process has stood still meanwhile: it was stopped (SIGSTOP), or its machine paused. A connection that broke in
   * that time says nothing about the backend, which may have waited for us.
   */
  readonly hasStoodStill: boolean;
}

/** What is later than this is later than its time by a pause, and no longer because others were first. */
const STOOD_STILL_MS = 1_000;

/** A timer that is later than this has kept arrived answers from being looked at as well. */
const LATE_MS = 100;

/** A process that is late all the time has to come to an end as well. */
const MAX_EXTENSIONS = 3;

/**
 * Starts the time of a check. Dispose of it when the check is over.
 *
 * Time in which this process did not run does not count: what has arrived meanwhile is looked at first.
 *
 * It is not AbortSignal.any because `stop` outlives the check and should not have to remember it.
 *
 * @param stop Ends the check at once.
 */
export function startDeadline(timeoutMs: number, stop: AbortSignal): Deadline {
  const controller = new AbortController();
  const startedMs = performance.now();
  let endMs = startedMs + timeoutMs;
  let extensions = 0;
  let isTimeUp = false;
  const end = (): void => controller.abort();
  const onTimer = (): void => {
    const lateMs = performance.now() - endMs;
    if (lateMs > LATE_MS && extensions++ < MAX_EXTENSIONS) {
      const moreMs = Math.min(lateMs, timeoutMs);
      endMs = performance.now() + moreMs;
      timer = setTimeout(onTimer, moreMs);
      return;
    }
    isTimeUp = true;
    end();
  };
  let timer = setTimeout(onTimer, timeoutMs);
  if (stop.aborted) end();
  stop.addEventListener("abort", end);
  return {
    signal: controller.signal,
    timeoutMs,
    get isTimeUp() {
      return isTimeUp;
    },
    get hasStoodStill() {
      return performance.now() - startedMs > timeoutMs + STOOD_STILL_MS;
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", end);
    },
  };
}
