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
  readonly turnstile: Pick<Turnstile, "enter">;
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
 * gone, the client still gets every byte that the backend had sent, and time to go by itself. Rejects only with a fault of
 * our own; the session closes both connections when it ends.
 */
export function relay(session: LiveSession, backend: Deno.Conn, tools: RelayTools): Promise<void> {
  return new Promise((resolve, reject) => {
    let going = 2;
    const onOver: OnOver = (fault) => {
      if (fault !== undefined) reject(fault);
      else if (--going === 0) resolve();
    };
    pump(session, "in", backend, tools, onOver);
    pump(session, "out", backend, tools, onOver);
  });
}

/** Told once when a direction will read and write no more: because it is over, or with a fault of our own. */
type OnOver = (fault?: unknown) => void;

/**
 * Moves the bytes of one direction until its source ends, then ends the sending side of its sink.
 *
 * It goes round by callbacks that are made once: awaiting makes two closures and a context for each read and each write,
 * which short sessions feel (docs/benchmarks.md). None of the callbacks throws: nobody would hear of it.
 */
function pump(
  session: LiveSession,
  direction: "in" | "out",
  backend: Deno.Conn,
  { buffers, turnstile }: RelayTools,
  onOver: OnOver,
): void {
  const isIn = direction === "in";
  const source = isIn ? session.client : backend;
  const sink = isIn ? backend : session.client;
  // The client's first read was begun before there was a backend.
  let early = isIn ? session.takeEarlyRead() : undefined;
  let buffer = early?.buffer ?? buffers.small();
  /** What was read last. Kept for the next read, which often brings as much: a view costs more than it looks. */
  let chunk = buffer;
  let written = 0;
  let chunks = 0;
  let bytesThisTurn = 0;
  let isReading = true;

  const read = (): void => {
    isReading = true;
    (early?.filled ?? source.read(buffer)).then(onRead, onGone);
  };

  const onRead = (filled: number | null): void => {
    isReading = false;
    if (filled === null) return endSink();
    if (filled !== chunk.length) chunk = filled === buffer.length ? buffer : buffer.subarray(0, filled);
    turnstile.enter(write);
  };

  const write = (): void => {
    if (++chunks === 2) sendAtOnce(sink);
    written = 0;
    sink.write(chunk).then(onWritten, onGone);
  };

  const onWritten = (bytes: number): void => {
    written += bytes;
    if (written < chunk.length) {
      sink.write(chunk.subarray(written)).then(onWritten, onGone);
      return;
    }
    try {
      session.moved(direction, written);
      takeNextBuffer();
    } catch (fault) {
      return over(fault);
    }
    bytesThisTurn += written;
    if (bytesThisTurn < FAIR_SHARE_BYTES) return read();
    bytesThisTurn = 0;
    setImmediate(read);
  };

  const takeNextBuffer = (): void => {
    early = early?.next;
    const next = early?.buffer ?? buffers.fitted(buffer, written);
    if (next === buffer) return;
    if (early !== undefined) buffers.giveBack(buffer);
    buffer = chunk = next;
  };

  const endSink = (): void => {
    // When the other direction has ended before, both connections are closed at once, and that says it as well.
    if (session.isDirectionEnded) ended();
    else sink.closeWrite().then(ended, onGone);
  };

  const ended = (): void => {
    session.directionEnded();
    over();
  };

  /** Which side it was is known; why does not matter, or the session has ended already. */
  const onGone = (): void => {
    const isClientGone = isReading === isIn;
    try {
      if (isClientGone) session.end("client_reset");
      else session.backendGone();
    } catch (fault) {
      return over(fault);
    }
    if (isClientGone) return over();
    (isIn ? discard(source, buffer) : endSending(sink)).then(over);
  };

  const over = (fault?: unknown): void => {
    buffers.giveBack(buffer);
    if (early?.next !== undefined) void dropEarly(early.next, buffers);
    onOver(fault);
  };

  read();
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
async function discard(source: Deno.Conn, buffer: Uint8Array): Promise<void> {
  try {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    while (await source.read(buffer) !== null);
  } catch {
    // The peer, or the session, is gone; so is the reason to read on.
  }
}

async function endSending(conn: Deno.Conn): Promise<void> {
  try {
    await conn.closeWrite();
  } catch {
    // The client is gone as well; its own direction says so.
  }
}
