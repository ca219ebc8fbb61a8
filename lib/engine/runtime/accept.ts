// deno-lint-ignore-file no-await-in-loop -- connections are accepted one after the other

/** The accept loop: lets in as many as may come in, and outlives every error of the system. */

import { reasonOf } from "../../core/errors.ts";
import type { AcceptOptions } from "../contract.ts";

/** After an error such as EMFILE the next try waits, twice as long each time, as long as errors follow each other. */
const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 500;

/** Descriptors that come and go would otherwise fill the log. */
const TELL_AGAIN_MS = 5_000;

/** Accepts until `stop`; then waits for nothing more. Owns and closes the listener. */
export async function acceptConnections(
  listener: Pick<Deno.Listener, "accept" | "close">,
  options: AcceptOptions<Deno.Conn>,
): Promise<void> {
  const { limiter, serve, stop, onTrouble } = options;
  const close = (): void => listener.close();
  stop.addEventListener("abort", close, { once: true });
  if (stop.aborted) close();
  let pauseMs = 0;
  let lastToldMs = -Infinity;
  let isTold = false;
  while (!stop.aborted) {
    if (!limiter.enter()) {
      await limiter.freed();
      continue;
    }
    try {
      const conn = await listener.accept();
      pauseMs = 0;
      if (isTold) onTrouble("accept_recovered", {});
      isTold = false;
      serve(conn, limiter.leave);
    } catch (error) {
      limiter.leave();
      if (stop.aborted) break;
      if (isGone(error)) continue;
      if (!isTold && performance.now() - lastToldMs >= TELL_AGAIN_MS) {
        onTrouble("accept_failing", { reason: reasonOf(error) });
        lastToldMs = performance.now();
        isTold = true;
      }
      pauseMs = Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), MAX_PAUSE_MS);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** Whether it was only a client that had reset its connection while it waited; the next one may be fine. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.ConnectionAborted;
}
