// deno-lint-ignore-file no-await-in-loop -- attempts to dial follow one another

/** One connection's life: pick, dial, relay; the slot at the backend is held from pick to end. */

import type { Backend, Pool } from "../pool/pool.ts";
import type { Buffers } from "./buffers.ts";
import type { DescriptorShortage } from "./descriptor_shortage.ts";
import { dial, type DialResult } from "./dial.ts";
import type { LiveSession } from "./live_session.ts";
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
 */
export async function runSession(session: LiveSession, pool: Pool, tools: SessionTools): Promise<void> {
  try {
    const backend = await reachBackend(session, pool, tools.shortage);
    if (backend === undefined) return session.end("dial_failed");
    try {
      if (!session.ended) await relay(session, backend.conn, tools.buffers);
      session.end("done");
    } finally {
      pool.release(backend.member);
    }
  } finally {
    // Only a fault of our own gets here without an end.
    session.end("internal_error");
  }
}

/** Picks and dials until a backend answers; no byte has been relayed yet, so another one may be tried. */
async function reachBackend(
  session: LiveSession,
  pool: Pool,
  shortage: DescriptorShortage,
): Promise<{ member: Backend; conn: Deno.Conn } | undefined> {
  const tried: Backend[] = [];
  while (tried.length <= pool.options.retries && !session.ended) {
    const member = pool.take(tried);
    if (member === undefined) return undefined;
    const result = await dialMember(session, member, pool.options.dialTimeoutMs, shortage);
    if ("conn" in result) {
      session.connected(member, result.conn);
      return { member, conn: result.conn };
    }
    pool.release(member);
    session.dialFailed(member, result.failure);
    tried.push(member);
  }
  return undefined;
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
