// deno-lint-ignore-file no-await-in-loop -- a relay is a loop of reads and writes, one after the other

/**
 * The relay: bytes from client to backend and from backend to client until both directions have ended.
 *
 * The end of one direction is passed on as the end of that direction only (half-close, RFC 9293, 3.6). A write waits
 * until the system has taken it, and nothing is read meanwhile: a slow reader slows its writer, and a direction never
 * holds more than one buffer.
 */

import { setImmediate } from "node:timers";
import type { Buffers } from "./buffers.ts";
import { dropEarly } from "./early_read.ts";
import type { LiveSession } from "./live_session.ts";
import type { Turnstile } from "./turnstile.ts";

/** What relays of one worker share. */
export interface RelayTools {
  readonly buffers: Buffers;
  readonly turnstile: Turnstile;
}

/**
 * What one direction moves before it lets all others have their turn. Reads and writes that need not wait are done within
 * one turn of the event loop, so that a direction whose bytes keep coming would have the thread for itself.
 */
const FAIR_SHARE_BYTES = 128 * 1024;

/**
 * Relays until both directions have ended or the session is.
 *
 * A read or write that finds the client gone ends the session at once: there is nobody left to serve. When the backend is
 * gone, the client still gets every byte that the backend had sent, and time to go by itself. Never rejects; the session
 * closes both connections when it ends.
 */
export function relay(session: LiveSession, backend: Deno.Conn, tools: RelayTools): Promise<unknown> {
  return Promise.all([pump(session, "in", backend, tools), pump(session, "out", backend, tools)]);
}

/**
 * Moves the bytes of one direction until its source ends, then ends the sending side of its sink.
 *
 * Thousands of these wait at once: one function, because each async function that waits keeps half a kilobyte.
 */
async function pump(
  session: LiveSession,
  direction: "in" | "out",
  backend: Deno.Conn,
  { buffers, turnstile }: RelayTools,
): Promise<void> {
  const isIn = direction === "in";
  const source = isIn ? session.client : backend;
  const sink = isIn ? backend : session.client;
  // The client's first read was begun before there was a backend.
  let early = isIn ? session.takeEarlyRead() : undefined;
  let buffer = early?.buffer ?? buffers.small();
  let failed: "source" | "sink" | undefined = "source";
  let writes = 0;
  let bytesThisTurn = 0;
  try {
    let reading = early?.filled ?? source.read(buffer);
    for (;;) {
      const filled = await reading;
      failed = "sink";
      if (filled === null) break;
      const turn = turnstile.enter();
      if (turn !== undefined) await turn;
      if (++writes === 2) sendAtOnce(sink);
      let written = await sink.write(filled === buffer.length ? buffer : buffer.subarray(0, filled));
      while (written < filled) written += await sink.write(buffer.subarray(written, filled));
      if (isIn) session.bytesIn += filled;
      else {
        if (session.bytesOut === 0) session.backendAnswered();
        session.bytesOut += filled;
      }
      session.hasMoved = true;
      bytesThisTurn += filled;
      if (bytesThisTurn >= FAIR_SHARE_BYTES) {
        bytesThisTurn = 0;
        await nextTurn();
      }
      failed = "source";
      early = early?.next;
      if (early === undefined) {
        buffer = buffers.fitted(buffer, filled);
        reading = source.read(buffer);
      } else {
        buffers.giveBack(buffer);
        ({ buffer, filled: reading } = early);
      }
    }
    // When the other direction has ended before, both connections are closed at once, and that says it as well.
    if (!session.isDirectionEnded) await sink.closeWrite();
    session.isDirectionEnded = true;
    session.hasMoved = true;
    failed = undefined;
  } catch {
    // Which side it was is known; why does not matter, or the session has ended already.
  }
  buffers.giveBack(buffer);
  if (early?.next !== undefined) void dropEarly(early.next, buffers);
  if (failed === undefined) return;
  const isClientGone = (failed === "source") === isIn;
  if (isClientGone) return session.end("client_reset");
  session.backendGone();
  if (isIn) await discard(session.client, buffers);
  else await endSending(session.client);
}

/** Resolves when everything else that is ready has been served. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Turns off Nagle's algorithm (RFC 896), which would hold back the small segments that a peer has sent at once. It can
 * hold back none before the second write, so that short sessions do without this system call.
 */
function sendAtOnce(conn: Deno.Conn): void {
  try {
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
  } catch {
    // The peer is gone already; the next read or write says so.
  }
}

/** Reads to the end what nobody wants any more, so that closing does not reset the peer's connection. */
async function discard(source: Deno.Conn, buffers: Buffers): Promise<void> {
  const buffer = buffers.large();
  try {
    while (await source.read(buffer) !== null);
  } catch {
    // The peer, or the session, is gone; so is the reason to read on.
  } finally {
    buffers.giveBack(buffer);
  }
}

async function endSending(conn: Deno.Conn): Promise<void> {
  try {
    await conn.closeWrite();
  } catch {
    // The client is gone as well; its own direction says so.
  }
}
