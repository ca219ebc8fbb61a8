// deno-lint-ignore-file no-await-in-loop -- connections are accepted one by one

/** The accept loop: accepts as many connections as the limiter allows, and survives every error of the system. */

import { reasonOf } from "../../core/errors.ts";
import type { AcceptOptions } from "../contract.ts";

/** Pause after an error such as EMFILE. It doubles with each error that follows, up to the maximum. */
const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 500;

/** Least time between two reports: descriptors that run out again and again would fill the log. */
const REPORT_INTERVAL_MS = 5_000;

/** Accepts until `stop`, then resolves. Owns and closes the listener. */
export async function acceptConnections(
  listener: Pick<Deno.Listener, "accept" | "close">,
  options: AcceptOptions<Deno.Conn>,
): Promise<void> {
  const { limiter, serve, stop, onTrouble } = options;
  const close = (): void => listener.close();
  stop.addEventListener("abort", close, { once: true });
  if (stop.aborted) close();
  let pauseMs = 0;
  let lastReportMs = -Infinity;
  let isReported = false;
  while (!stop.aborted) {
    if (!limiter.enter()) {
      await limiter.freed();
      continue;
    }
    try {
      const conn = await listener.accept();
      pauseMs = 0;
      if (isReported) onTrouble("accept_recovered", {});
      isReported = false;
      serve(conn, limiter.leave);
    } catch (error) {
      limiter.leave();
      if (stop.aborted) break;
      if (isClientReset(error)) continue;
      if (!isReported && performance.now() - lastReportMs >= REPORT_INTERVAL_MS) {
        onTrouble("accept_failing", { reason: reasonOf(error) });
        lastReportMs = performance.now();
        isReported = true;
      }
      pauseMs = Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), MAX_PAUSE_MS);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** Whether the client had reset its connection in the backlog. That says nothing about the next connection. */
function isClientReset(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.ConnectionAborted;
}
