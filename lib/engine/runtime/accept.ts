// deno-lint-ignore-file no-await-in-loop -- connections are accepted one by one

/** The accept loop: accepts as many connections as the limiter allows, and survives every error of the system. */

import { sleep } from "../../core/sleep.ts";
import { AcceptTrouble } from "../accept_trouble.ts";
import type { AcceptOptions } from "../contract.ts";

/** A backlog is empty when an accept has been pending for so many looks at it, each in a turn of the event loop of its own. */
const LOOK_MS = 10;
const QUIET_LOOKS = 3;

/** Connections for which there is no place by then are lost. The control plane waits longer for a worker to close. */
const MAX_REST_MS = 2_000;

/**
 * Accepts until `stop`, then resolves. Owns and closes the listener.
 *
 * @param options `halt` is given for a listener whose backlog no other thread accepts.
 */
export async function acceptConnections(
  listener: Pick<Deno.Listener, "accept" | "close">,
  options: AcceptOptions<Deno.Conn>,
): Promise<void> {
  const { limiter, serve, stop, halt, onTrouble } = options;
  const state: AcceptState = { accepted: 0, isPending: false, isClosed: false };
  const close = (): void => {
    state.isClosed = true;
    listener.close();
  };
  const end = (): void => {
    if (halt === undefined || halt.aborted) close();
    else void rest(state, halt).then(close);
  };
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  const trouble = new AcceptTrouble(onTrouble);
  while (!state.isClosed) {
    if (!limiter.enter()) {
      await limiter.freed();
      continue;
    }
    try {
      state.isPending = true;
      const conn = await listener.accept();
      state.accepted++;
      trouble.accepted();
      serve(conn, limiter.leave);
    } catch (error) {
      limiter.leave();
      if (state.isClosed) break;
      if (isClientReset(error)) continue;
      const pauseMs = trouble.failed(error);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    } finally {
      state.isPending = false;
    }
  }
}

interface AcceptState {
  /** So far. */
  accepted: number;
  /** Whether the next connection is waited for. */
  isPending: boolean;
  isClosed: boolean;
}

/** Resolves when the backlog is empty, or has had its time. */
async function rest(state: AcceptState, halt: AbortSignal): Promise<void> {
  const startedMs = performance.now();
  let [quietLooks, accepted] = [0, state.accepted];
  while (quietLooks < QUIET_LOOKS && !halt.aborted && performance.now() - startedMs < MAX_REST_MS) {
    await sleep(LOOK_MS, halt);
    quietLooks = state.isPending && state.accepted === accepted ? quietLooks + 1 : 0;
    accepted = state.accepted;
  }
}

/** Whether the client had reset its connection in the backlog. That says nothing about the next connection. */
function isClientReset(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.ConnectionAborted;
}
