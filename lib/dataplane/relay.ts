// deno-lint-ignore-file no-await-in-loop -- a relay is a loop of reads and writes, one after the other

/**
 * The relay: bytes from client to backend and from backend to client until both directions have ended.
 *
 * The end of one direction is passed on as the end of that direction only (half-close, RFC 9293, 3.6). A write waits
 * until the system has taken it, and nothing is read meanwhile: a slow reader slows its writer, and a direction never
 * holds more than one buffer.
 */

import type { CoarseClock } from "../core/coarse_clock.ts";
import type { Buffers } from "./buffers.ts";
import type { LiveSession } from "./live_session.ts";

/** What relays of one worker share. */
export interface RelayTools {
  readonly clock: CoarseClock;
  readonly buffers: Buffers;
}

/** How a direction came to its end. */
type Outcome = "ended" | "source_failed" | "sink_failed";

/**
 * Relays until both directions have ended or the session is.
 *
 * A client that is gone ends the session at once: there is nobody left to serve. When the backend is gone, the client
 * still gets every byte that the backend had sent, and a moment to go by itself. Never throws, closes neither connection.
 */
export async function relay(session: LiveSession, backend: Deno.Conn, tools: RelayTools): Promise<void> {
  await Promise.all([relayIn(session, backend, tools), relayOut(session, backend, tools)]);
}

/**
 * Turns off Nagle's algorithm (RFC 896), which would hold back the small segments that a peer has sent at once. It can
 * hold back none before the second write, so that short sessions do without this system call.
 */
function sendAtOnce(conn: Deno.Conn): void {
  try {
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
  } catch {
    // The peer is gone already; the first read or write says so.
  }
}

/** Client to backend. */
async function relayIn(session: LiveSession, backend: Deno.Conn, tools: RelayTools): Promise<void> {
  const outcome = await pump(session, session.client, backend, tools, true);
  if (outcome === "source_failed") session.end("client_reset");
  if (outcome === "sink_failed") {
    session.linger();
    await discard(session.client, tools.buffers);
  }
}

/** Backend to client. */
async function relayOut(session: LiveSession, backend: Deno.Conn, tools: RelayTools): Promise<void> {
  const outcome = await pump(session, backend, session.client, tools, false);
  if (outcome === "sink_failed") session.end("client_reset");
  if (outcome === "source_failed") {
    session.linger();
    await endSending(session.client);
  }
}

/** Moves bytes from `source` to `sink` until the source ends, then ends the sending side of the sink. */
async function pump(
  session: LiveSession,
  source: Deno.Conn,
  sink: Deno.Conn,
  { clock, buffers }: RelayTools,
  isIn: boolean,
): Promise<Outcome> {
  let buffer = buffers.small();
  let isReading = true;
  let writes = 0;
  try {
    for (;;) {
      isReading = true;
      const filled = await source.read(buffer);
      if (filled === null) break;
      isReading = false;
      if (++writes === 2) sendAtOnce(sink);
      let written = await sink.write(filled === buffer.length ? buffer : buffer.subarray(0, filled));
      while (written < filled) written += await sink.write(buffer.subarray(written, filled));
      if (isIn) session.bytesIn += filled;
      else session.bytesOut += filled;
      session.lastActiveMs = clock.nowMs;
      buffer = buffers.fitted(buffer, filled);
    }
    isReading = false;
    // When the other direction has ended before, both connections are closed at once, and that says it as well.
    if (!session.halfClosed) await sink.closeWrite();
    session.halfClosed = true;
    session.lastActiveMs = clock.nowMs;
    return "ended";
  } catch {
    return isReading ? "source_failed" : "sink_failed";
  } finally {
    buffers.giveBack(buffer);
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
