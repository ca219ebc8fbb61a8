/** Resolves after so many milliseconds, or as soon as `stop` is aborted. Never rejects. */
export function sleep(ms: number, stop?: AbortSignal): Promise<void> {
  if (ms === 0 || stop?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stop?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stop?.addEventListener("abort", end);
  });
}
