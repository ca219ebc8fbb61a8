// deno-lint-ignore-file no-await-in-loop -- the time passes in steps, one after the other

/** A deadline is counted in steps of this length. */
const STEP_MS = 250;

/** How waiting for an answer ended. */
export type Answer = "answered" | "late" | "aborted";

/**
 * Waits until `answer` has settled, for at most `patienceMs`.
 *
 * The time is counted in steps: while the whole process stands still, as in a paused machine, a worker cannot answer either.
 * A rejection of `answer` is an answer; it is for the caller to look at.
 *
 * @param signal Ends the waiting before its time.
 */
export async function waitForAnswer(
  answer: Promise<unknown>,
  patienceMs: number,
  signal?: AbortSignal,
): Promise<Answer> {
  const settled = answer.then(() => "answered" as const, () => "answered" as const);
  const aborted = Promise.withResolvers<"aborted">();
  const abort = (): void => aborted.resolve("aborted");
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    for (let leftMs = patienceMs; leftMs > 0; leftMs -= STEP_MS) {
      const step = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => step.resolve(undefined), Math.min(leftMs, STEP_MS));
      const first = await Promise.race([settled, aborted.promise, step.promise]);
      clearTimeout(timer);
      if (first !== undefined) return first;
    }
    return "late";
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
