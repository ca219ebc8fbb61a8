/** More than any step of a test takes, on a machine that is busy with other things. */
const PATIENCE_MS = 30_000;

/**
 * What a promise comes to, or an error when it comes to nothing.
 *
 * A wait on shared memory alone does not keep the event loop running; this does. The connections of a real worker do.
 */
export async function within<T>(promise: Promise<T>, what: string, patienceMs = PATIENCE_MS): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`Cannot wait for ${what} any longer: ${patienceMs} ms`)),
    patienceMs,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
