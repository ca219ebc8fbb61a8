/** The end of one check: its time is up, or checking as such has come to an end. */
export interface Deadline extends Disposable {
  /** Aborted at the end. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Whether it was the time that was up. */
  readonly isTimeUp: boolean;
}

/**
 * Starts the time of a check. Dispose of it when the check is over.
 *
 * It is not AbortSignal.any because `stop` outlives the check and should not have to remember it.
 *
 * @param stop Ends the check at once.
 */
export function startDeadline(timeoutMs: number, stop: AbortSignal): Deadline {
  const controller = new AbortController();
  let isTimeUp = false;
  const end = (): void => controller.abort();
  const timer = setTimeout(() => {
    isTimeUp = true;
    end();
  }, timeoutMs);
  if (stop.aborted) end();
  stop.addEventListener("abort", end);
  return {
    signal: controller.signal,
    timeoutMs,
    get isTimeUp() {
      return isTimeUp;
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", end);
    },
  };
}
