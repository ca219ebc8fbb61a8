/**
 * The relay: bytes from client to backend and from backend to client until both directions have ended.
 *
 * The end of one direction is passed on as the end of that direction only (half-close, RFC 9293, 3.6). A write waits
 * until the system has taken it, and nothing is read meanwhile: a slow reader slows its writer, and a direction never
 * holds more than one buffer.
 */

import { setImmediate } from "node:timers";
import { writeAll } from "../../core/connection.ts";
import type { Direction, RelayEvents } from "../contract.ts";
import type { Buffers } from "./buffers.ts";
import { dropEarly } from "./early_read.ts";
import type { RuntimeClient, RuntimeSocket } from "./socket.ts";
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

/** Relays as {@linkcode Engine.relay} says. */
export function relay(
  client: RuntimeClient,
  backend: RuntimeSocket,
  on: RelayEvents,
  tools: RelayTools,
): void {
  const ends: Ends = { going: 2, hasEnded: false };
  if (backend.sentFirst === undefined) pump(client, backend, "in", on, tools, ends);
  else pumpAfter(backend.sentFirst, client, backend, on, tools, ends);
  pump(client, backend, "out", on, tools, ends);
}

/** Sends something of our own to the backend before the client's bytes. */
function pumpAfter(
  preface: Uint8Array,
  client: RuntimeClient,
  backend: RuntimeSocket,
  on: RelayEvents,
  tools: RelayTools,
  ends: Ends,
): void {
  const pumpIn = (): void => pump(client, backend, "in", on, tools, ends);
  // A failed write fails the first one of the pump as well.
  writeAll(backend.conn, preface).then(pumpIn, pumpIn);
}

/** What the two directions know of each other. */
interface Ends {
  /** How many will still read and write. */
  going: number;
  /** Whether one has passed on its end. */
  hasEnded: boolean;
}

/**
 * Moves the bytes of one direction until its source ends, then ends the sending side of its sink.
 *
 * It goes round by callbacks that are made once: awaiting makes two closures and a context for each read and each write,
 * which short sessions feel (docs/benchmarks.md). None of the callbacks throws: the error would be lost.
 */
function pump(
  client: RuntimeClient,
  backend: RuntimeSocket,
  direction: Direction,
  on: RelayEvents,
  { buffers, turnstile }: RelayTools,
  ends: Ends,
): void {
  const isIn = direction === "in";
  const source = isIn ? client.conn : backend.conn;
  const sink = isIn ? backend.conn : client.conn;
  // The client's first read was begun before there was a backend.
  let early = isIn ? client.takeEarly() : undefined;
  let buffer = early?.buffer ?? buffers.small();
  /** What was read last. Kept for the next read, which often brings as much: a view costs more than it looks. */
  let chunk = buffer;
  let written = 0;
  let chunks = 0;
  let bytesThisTurn = 0;
  let isReading = true;
  let isWriting = false;

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
    isWriting = true;
    on.writesPending(1);
    sink.write(chunk).then(onWritten, onGone);
  };

  const onWritten = (bytes: number): void => {
    written += bytes;
    if (written < chunk.length) {
      sink.write(chunk.subarray(written)).then(onWritten, onGone);
      return;
    }
    isWriting = false;
    on.writesPending(-1);
    try {
      on.moved(direction, written);
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
    if (ends.hasEnded) ended();
    else sink.closeWrite().then(ended, onGone);
  };

  const ended = (): void => {
    ends.hasEnded = true;
    on.directionEnded(direction);
    over();
  };

  /** A failed read means the source is gone, a failed write the sink. The cause is irrelevant. */
  const onGone = (): void => {
    const isClientGone = isReading === isIn;
    if (isWriting) on.writesPending(-1);
    try {
      if (isClientGone) on.clientGone();
      else on.backendGone();
    } catch (fault) {
      return over(fault);
    }
    if (isClientGone) return over();
    if (isIn) discard(source, buffer).then(over);
    else {
      endSending(sink).then(() => {
        on.clientTold();
        over();
      });
    }
  };

  const over = (fault?: unknown): void => {
    buffers.giveBack(buffer);
    if (early?.next !== undefined) void dropEarly(early.next, buffers);
    ends.going--;
    try {
      if (fault !== undefined) on.fault(fault);
      if (ends.going === 0) on.finished();
    } catch (another) {
      on.fault(another);
    }
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

/** Reads and drops the rest: closing with unread bytes would reset the peer's connection. */
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
