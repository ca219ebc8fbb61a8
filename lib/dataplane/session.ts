// deno-lint-ignore-file no-await-in-loop -- attempts to dial follow one another

/** One connection's life: pick, perhaps wait, dial, relay; the slot at the backend is held from pick to end. */

import type { Backend } from "../pool/backend.ts";
import type { Pool } from "../pool/pool.ts";
import type { Queue, Waiter } from "../pool/queue.ts";
import type { Buffers } from "./buffers.ts";
import type { DescriptorShortage } from "./descriptor_shortage.ts";
import { dial, type DialResult } from "./dial.ts";
import { dropEarly, readOn } from "./early_read.ts";
import type { LiveSession } from "./live_session.ts";
import type { EndReason } from "./record.ts";
import { relay } from "./relay.ts";

/** What sessions of one worker share. */
export interface SessionTools {
  readonly buffers: Buffers;
  readonly shortage: DescriptorShortage;
}

/**
 * Serves an accepted connection to its end.
 *
 * When it returns, the session has ended, both connections are closed and the slot at the backend is free.
 *
 * @param key What `maglev` picks by; 0 for the other algorithms.
 */
export async function runSession(session: LiveSession, key: number, tools: SessionTools): Promise<void> {
  const { pool } = session.entrance;
  // The one who waits for the bytes learns of it as well; but nobody may wait for them yet.
  session.earlyRead?.filled.catch(() => session.end("client_reset"));
  try {
    const reached = await reachBackend(session, pool, key, tools);
    if ("failure" in reached) return session.end(reached.failure);
    try {
      if (!session.ended) await relay(session, reached.conn, tools.buffers);
      session.end("done");
    } finally {
      pool.release(reached.member);
    }
  } finally {
    // Only a fault of our own gets here without an end.
    session.end("internal_error");
    const early = session.takeEarlyRead();
    if (early !== undefined) void dropEarly(early, tools.buffers);
  }
}

type Reached = { readonly member: Backend; readonly conn: Deno.Conn } | { readonly failure: EndReason };

/** Picks and dials until a backend answers; no byte has been relayed yet, so another one may be tried. */
async function reachBackend(
  session: LiveSession,
  pool: Pool,
  key: number,
  tools: SessionTools,
): Promise<Reached> {
  const tried: Backend[] = [];
  while (tried.length <= pool.options.retries && !session.ended) {
    // Whoever comes for the first time gets in line behind those who wait.
    const mayPass = tried.length > 0 || pool.queue === undefined || pool.queue.isEmpty;
    const picked = (mayPass ? pool.take(tried, key) : undefined) ??
      await waitForBackend(session, pool, tried, key, tools.buffers);
    if (typeof picked === "string") return { failure: tried.length > 0 ? "dial_failed" : picked };
    const result = await dialMember(session, picked, pool.options.dialTimeoutMs, tools.shortage);
    if ("conn" in result) {
      session.connected(picked, result.conn);
      return { member: picked, conn: result.conn };
    }
    pool.release(picked);
    session.dialFailed(picked, result.failure);
    tried.push(picked);
  }
  return { failure: "dial_failed" };
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

/** Dials as soon as there is a file descriptor for it; a session that was let in is not lost for want of one. */
async function dialMember(
  session: LiveSession,
  member: Backend,
  timeoutMs: number,
  shortage: DescriptorShortage,
): Promise<DialResult> {
  for (;;) {
    const result = await dial(member.address, session.beginDial(timeoutMs));
    if ("conn" in result || !result.isDescriptorShortage || session.ended) return result;
    session.dialPostponed();
    await shortage.wait();
  }
}
