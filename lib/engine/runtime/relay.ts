/**
 * The relay: bytes from client to backend and from backend to client, until both directions have finished.
 *
 * A direction ends when its source has closed its sending side. That end is passed on as the end of this direction only (half-close,
 * RFC 9293, 3.6). A direction fails when its source or its sink is gone. Either way it finishes: it reads and writes no more.
 *
 * A direction reads only after the system has taken its last write. So a slow reader slows its writer, and a direction never holds
 * more than one buffer.
 */

import { setImmediate } from "node:timers";
import { writeAll } from "../../core/connection.ts";
import type { Direction, Pace, Paces, RelayEvents } from "../contract.ts";
import type { Buffers } from "./buffers.ts";
import { releaseEarlyReads } from "./early_read.ts";
import type { RuntimeConn } from "./runtime_conn.ts";
import type { RuntimeClient, RuntimeSocket } from "./socket.ts";
import { TlsConn } from "./tls_conn.ts";
import type { TurnBudget } from "./turn_budget.ts";

/** What relays of one worker share. */
export interface RelayDeps {
  readonly buffers: Buffers;
  readonly turnBudget: Pick<TurnBudget, "spend">;
}

/**
 * After this many bytes a direction pauses for one turn of the event loop. Reads and writes that need not wait are done within a
 * single turn, so a direction whose bytes keep coming would block all others.
 */
const FAIR_SHARE_BYTES = 128 * 1024;

/** Relays as {@linkcode Engine.relay} says. */
export function relay(
  client: RuntimeClient,
  backend: RuntimeSocket,
  on: RelayEvents,
  deps: RelayDeps,
  paces?: Paces,
): void {
  const state: RelayState = { running: 2, hasEnded: false };
  const pumpIn = (): void => pump(client, backend, "in", on, deps, state, paces?.in);
  if (backend.sentFirst === undefined) pumpIn();
  else pumpAfter(backend.sentFirst, backend, pumpIn);
  pump(client, backend, "out", on, deps, state, paces?.out);
}

/** Sends the preface to the backend before the client's bytes, the first of which are then the second write. */
function pumpAfter(preface: Uint8Array, backend: RuntimeSocket, pumpIn: () => void): void {
  sendAtOnce(backend.conn);
  // If this write fails, so does the first write of the pump, which reports it.
  writeAll(backend.conn, preface).then(pumpIn, pumpIn);
}

/** What the two directions share. */
interface RelayState {
  /** Directions that have not finished. */
  running: number;
  /** Whether one direction has ended, and its end was passed on. */
  hasEnded: boolean;
}

/**
 * Moves the bytes of one direction until its source ends, then closes the sending side of its sink.
 *
 * The callbacks are made once a direction. Awaiting would make two closures and a context for each read and each write, which costs
 * short sessions measurably (docs/benchmarks.md). None of the callbacks throws: the error would be lost.
 */
function pump(
  client: RuntimeClient,
  backend: RuntimeSocket,
  direction: Direction,
  on: RelayEvents,
  { buffers, turnBudget }: RelayDeps,
  state: RelayState,
  pace: Pace | undefined,
): void {
  const isIn = direction === "in";
  const source = isIn ? client.conn : backend.conn;
  const sink = isIn ? backend.conn : client.conn;
  // The client's first read has begun before there was a backend.
  let early = isIn ? client.takeEarly() : undefined;
  let buffer = early?.buffer ?? buffers.small();
  /** What was read last. The next read is often as long and uses the same view: making one is costly. */
  let chunk = buffer;
  let written = 0;
  let chunks = 0;
  let bytesThisTurn = 0;
  let isReading = true;
  let isWriting = false;

  const read = (): void => {
    isReading = true;
    (early?.filled ?? source.read(pace === undefined ? buffer : pacedPart(buffer, pace))).then(
      onRead,
      onFailed,
    );
  };

  const onRead = (filled: number | null): void => {
    isReading = false;
    if (filled === null) return endSink();
    if (filled !== chunk.length) chunk = filled === buffer.length ? buffer : buffer.subarray(0, filled);
    if (pace === undefined) return turnBudget.spend(write);
    if (pace.ask(filled, () => turnBudget.spend(write))) turnBudget.spend(write);
  };

  const write = (): void => {
    if (++chunks === 2) sendAtOnce(sink);
    written = 0;
    isWriting = true;
    on.writesPending(1);
    sink.write(chunk).then(onWritten, onFailed);
  };

  const onWritten = (bytes: number): void => {
    written += bytes;
    if (written < chunk.length) {
      sink.write(chunk.subarray(written)).then(onWritten, onFailed);
      return;
    }
    isWriting = false;
    on.writesPending(-1);
    try {
      on.moved(direction, written);
      takeNextBuffer();
    } catch (fault) {
      return finish(fault);
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
    // If the other direction has ended before, the owner now closes both connections. That tells the sink as well, but for TLS, which
    // has an end of its own.
    if (state.hasEnded && !(sink instanceof TlsConn)) onEndPassedOn();
    else sink.closeWrite().then(onEndPassedOn, onFailed);
  };

  const onEndPassedOn = (): void => {
    state.hasEnded = true;
    on.directionEnded(direction);
    finish();
  };

  /** A failed read means the source is gone, a failed write the sink. The cause is irrelevant. */
  const onFailed = (): void => {
    const isClientGone = isReading === isIn;
    if (isWriting) on.writesPending(-1);
    try {
      if (isClientGone) on.clientGone();
      else on.backendGone();
    } catch (fault) {
      return finish(fault);
    }
    if (isClientGone) return finish();
    if (isIn) discard(source, buffer).then(finish);
    else {
      endSending(sink).then(() => {
        on.clientTold();
        finish();
      });
    }
  };

  const finish = (fault?: unknown): void => {
    buffers.giveBack(buffer);
    if (early?.next !== undefined) void releaseEarlyReads(early.next, buffers);
    state.running--;
    try {
      if (fault !== undefined) on.fault(fault);
      if (state.running === 0) on.finished();
    } catch (another) {
      on.fault(another);
    }
  };

  read();
}

/** As much of a buffer as may be received at once. */
function pacedPart(buffer: Uint8Array<ArrayBuffer>, { mostBytes }: Pace): Uint8Array {
  return mostBytes < buffer.length ? buffer.subarray(0, mostBytes) : buffer;
}

/**
 * Turns off Nagle's algorithm (RFC 896), which would delay small segments that the peer has sent at once. It delays none before
 * the second write, so short sessions do without this system call.
 */
function sendAtOnce(conn: RuntimeConn): void {
  try {
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
  } catch {
    // The peer is gone; the next read or write fails and reports it.
  }
}

/** Reads and drops what is left: closing with unread bytes would reset the peer's connection. */
async function discard(source: RuntimeConn, buffer: Uint8Array): Promise<void> {
  try {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    while (await source.read(buffer) !== null);
  } catch {
    // The peer is gone, or the session has ended, so nothing is left to read.
  }
}

/** What ends was cut off, which TLS can say. */
async function endSending(conn: RuntimeConn): Promise<void> {
  try {
    await (conn instanceof TlsConn ? conn.cut() : conn.closeWrite());
  } catch {
    // The client is gone as well; the other direction reports it.
  }
}
