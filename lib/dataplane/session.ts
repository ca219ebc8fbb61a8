// deno-lint-ignore-file no-await-in-loop -- attempts to dial follow one another

/** One connection's life: pick, perhaps wait, dial, relay; the slot at the backend is held from pick to end. */

import type { Backend } from "../pool/backend.ts";
import type { Pool } from "../pool/pool.ts";
import type { Queue, Waiter } from "../pool/queue.ts";
import type { Buffers } from "./buffers.ts";
import { type DescriptorShortage, isDescriptorShortage } from "./descriptor_shortage.ts";
import { describeFailure, dial } from "./dial.ts";
import { dropEarly, readOn } from "./early_read.ts";
import type { LiveSession } from "./live_session.ts";
import type { EndReason } from "./record.ts";
import { relay, type RelayTools } from "./relay.ts";

/** What sessions of one worker share. */
export interface SessionTools extends RelayTools {
  readonly shortage: DescriptorShortage;
}

/**
 * Serves an accepted connection to its end.
 *
 * When it returns, the session has ended, both connections are closed and the slot at the backend is free. From accept to
 * relay it waits in as few functions as can be: each one that waits costs a short session a hundredth of its time.
 *
 * @param key What `maglev` picks by; 0 for the other algorithms.
 */
export async function runSession(session: LiveSession, key: number, tools: SessionTools): Promise<void> {
  const { pool } = session.entrance;
  // The one who waits for the bytes learns of it as well; but nobody may wait for them yet.
  session.earlyRead?.filled.catch(() => session.end("client_reset"));
  try {
    await reachBackend(session, pool, key, tools);
    if (!session.ended && session.backendConn !== undefined) await relay(session, session.backendConn, tools);
    session.end("done");
  } finally {
    // Only a fault of our own gets here without an end.
    session.end("internal_error");
    if (session.backend !== undefined) pool.release(session.backend);
    const early = session.takeEarlyRead();
    if (early !== undefined) void dropEarly(early, tools.buffers);
  }
}

/**
 * Picks and dials until a backend answers; no byte has been relayed yet, so another one may be tried.
 *
 * When it returns, the session is connected and has the slot at its backend, or it has ended.
 */
async function reachBackend(
  session: LiveSession,
  pool: Pool,
  key: number,
  tools: SessionTools,
): Promise<void> {
  const tried: Backend[] = [];
  while (tried.length <= pool.options.retries && !session.ended) {
    // Whoever comes for the first time gets in line behind those who wait.
    const mayPass = tried.length > 0 || pool.queue === undefined || pool.queue.isEmpty;
    const picked = (mayPass ? pool.take(tried, key) : undefined) ??
      await waitForBackend(session, pool, tried, key, tools.buffers);
    if (typeof picked === "string") return session.end(tried.length > 0 ? "dial_failed" : picked);
    for (;;) {
      const signal = session.beginDial(pool.options.dialTimeoutMs);
      try {
        return session.connected(picked, await dial(picked.address, signal));
      } catch (error) {
        if (session.ended || !isDescriptorShortage(error)) {
          session.dialFailed(picked, describeFailure(error, signal));
          break;
        }
      }
      // A session that was let in is not lost for want of a descriptor: it dials as soon as there is one.
      session.dialPostponed();
      await tools.shortage.wait();
    }
    pool.release(picked);
    tried.push(picked);
  }
  session.end("dial_failed");
}

/** No backend is free: waits for one in the pool's queue, if it has one and there is something to wait for. */
async function waitForBackend(
  session: LiveSession,
  pool: Pool,
  tried: readonly Backend[],
  key: number,
  buffers: Buffers,
): Promise<Backend | EndReason> {
  const { queue } = pool;
  if (queue === undefined || !pool.hasOther(tried)) return "no_backend";
  const waiter = queue.join(tried, key, session.nowMs);
  if (waiter === undefined) return "queue_full";
  session.beginQueue(() => queue.leave(waiter));
  void noticeHalfClose(session, queue, waiter, buffers);
  const waited = await waiter.waited;
  session.endQueue();
  if (!session.ended) return waited ?? "internal_error";
  // It left just when its turn came. Its end has a reason already.
  if (typeof waited === "object") pool.release(waited);
  return "client_reset";
}

async function noticeHalfClose(
  session: LiveSession,
  queue: Queue,
  waiter: Waiter,
  buffers: Buffers,
): Promise<void> {
  if (session.earlyRead === undefined) return;
  try {
    const how = await readOn(session.earlyRead, session.client, buffers, () => session.isQueued);
    if (how === "ended") queue.halfClosed(waiter);
  } catch {
    session.end("client_reset");
  }
}
