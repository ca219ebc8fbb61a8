/** One conversation: messages, or input, to a socket, and what comes back to an output. */

import { formatAddress, type StreamAddress } from "../core/address.ts";
import type { CoarseClock } from "../core/coarse_clock.ts";
import { CHUNK_BYTES, chunks, type Connection, writeAll } from "../core/connection.ts";
import { RunError } from "../core/errors.ts";
import { formatDuration } from "../core/duration.ts";
import { dialByName } from "../engine/runtime/dial.ts";
import type { RuntimeSocket } from "../engine/runtime/socket.ts";
import { OutputClosed, writeOut } from "../core/output.ts";
import { whyNoSocketAt } from "../core/socket_file.ts";
import { writeClientHeader } from "../wire/write_proxy_header.ts";
import { describeFault } from "./fault.ts";
import { readInput } from "./input.ts";
import { startTls, type TlsTalk } from "./start_tls.ts";
import { SilenceWatch } from "./silence_watch.ts";

export interface ConversationOptions {
  readonly connect: StreamAddress;
  /** Says first who speaks, by a header of the PROXY protocol in this version. */
  readonly proxyProtocol?: "v1" | "v2" | undefined;
  /** Then, and before all that is sent and read, opens TLS. */
  readonly tls?: TlsTalk | undefined;
  /** Sent with a newline each; when there is none, `input` is sent. */
  readonly messages: readonly string[];
  /** How long to wait to be connected, for TLS to open, and for any byte in either direction; 0 is forever, but 10 s for TLS. */
  readonly timeoutMs: number;
  readonly input: Pick<Connection, "read">;
  /** Whether the input ends only when the user ends it, as at a terminal; then the end of the peer is the end. */
  readonly isInputEndless: boolean;
  readonly output: Pick<Connection, "write">;
  /** Ends the conversation at once; not an error. */
  readonly stop: AbortSignal;
  /** What measures how long it waits; by default one of its own. */
  readonly clock?: CoarseClock;
}

/** How long a handshake of TLS may take where no timeout is given: a server that waits for a request never answers it. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Talks to a server until it ends the conversation: sends everything, ends the sending side, prints what comes back.
 *
 * @throws {RunError} when the peer refuses, is lost, stays silent for too long, or does not take everything.
 */
export async function converse(options: ConversationOptions): Promise<void> {
  const peer = formatAddress(options.connect);
  const { timeoutMs } = options;
  const handshakeMs = timeoutMs === 0 ? HANDSHAKE_TIMEOUT_MS : timeoutMs;
  const silence = new SilenceWatch(options.stop, options.clock);
  let tls: "none" | "opening" | "open" = "none";
  try {
    silence.limit(timeoutMs);
    const conn = await dialByName(options.connect, silence.signal);
    const close = (): void => conn.close();
    silence.signal.addEventListener("abort", close, { once: true });
    if (silence.signal.aborted) close();
    try {
      await sayWhoSpeaks(conn, options);
      if (options.tls !== undefined) {
        tls = "opening";
        silence.limit(handshakeMs);
        await startTls(conn, options.tls, hostOf(options.connect), silence.signal);
        tls = "open";
        silence.limit(timeoutMs);
      }
      await exchange(silence.watching(conn), options);
    } finally {
      silence.signal.removeEventListener("abort", close);
      if (!silence.signal.aborted) conn.close();
    }
  } catch (error) {
    if (options.stop.aborted || error instanceof OutputClosed) return;
    if (error instanceof RunError) throw error;
    if (silence.signal.aborted) {
      const why = tls === "opening"
        ? `no TLS within ${formatDuration(handshakeMs)}; it may not speak TLS`
        : `nothing came for ${formatDuration(timeoutMs)}`;
      throw new RunError(`${peer}: ${why}`);
    }
    const why = await whyNoSocket(options.connect) ?? describeFault(options.connect, error, tls === "open");
    throw new RunError(`${peer}: ${why}`, { cause: error });
  } finally {
    silence.end();
  }
}

/** The system says of any other file at the path that it refuses connections. */
async function whyNoSocket(peer: StreamAddress): Promise<string | undefined> {
  return peer.transport === "unix" ? await whyNoSocketAt(peer.path) : undefined;
}

/** By a header of the PROXY protocol, where that is wished for. */
async function sayWhoSpeaks(conn: RuntimeSocket, { proxyProtocol }: ConversationOptions): Promise<void> {
  if (proxyProtocol !== undefined) await writeAll(conn, writeClientHeader(proxyProtocol, conn));
}

function hostOf(address: StreamAddress): string | undefined {
  return address.transport === "tcp" ? address.host : undefined;
}

/** Sends and receives at the same time: either alone could wait for a peer that waits for the other. */
async function exchange(conn: Connection, options: ConversationOptions): Promise<void> {
  const sending = sendAll(conn, options).then(() => undefined, (error: unknown) => ({ error }));
  const inputFailure = sending.then((failure) => {
    return failure?.error instanceof RunError ? Promise.reject(failure.error) : new Promise<never>(() => {});
  });
  await Promise.race([receiveAll(conn, options), inputFailure]);
  // The peer has said all it will, and may still listen; only a person at a terminal is not kept waiting for that.
  const failure = options.isInputEndless ? await Promise.race([sending, undefined]) : await sending;
  if (failure !== undefined) throw failure.error;
}

async function receiveAll(conn: Connection, options: ConversationOptions): Promise<void> {
  for await (const chunk of chunks(conn)) await writeOut(chunk, options.output);
}

async function sendAll(conn: Connection, options: ConversationOptions): Promise<void> {
  if (options.messages.length > 0) {
    await writeAll(
      conn,
      new TextEncoder().encode(options.messages.map((message) => `${message}\n`).join("")),
    );
  } else {
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      // deno-lint-ignore no-await-in-loop -- a pipe is read in order
      const filled = await readInput(options.input, buffer);
      if (filled === null) break;
      // deno-lint-ignore no-await-in-loop -- and written in order
      await writeAll(conn, buffer.subarray(0, filled));
    }
  }
  await conn.closeWrite();
}
