/** The client role: messages, or stdin, to a socket, and what comes back to stdout. */

import type { ClientFlags } from "../cli/flags.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { CoarseClock } from "../core/coarse_clock.ts";
import { CHUNK_BYTES, chunks, type Connection, writeAll } from "../core/connection.ts";
import { reasonOf, RunError } from "../core/errors.ts";
import { formatDuration } from "../core/duration.ts";
import { OutputClosed, type Terminal, writeOut } from "./terminal.ts";
import { giveUpWriting } from "./write_permission.ts";

export interface ClientOptions {
  readonly connect: Address;
  /** Sent with a newline each; when there is none, `input` is sent. */
  readonly messages: readonly string[];
  /** How long to wait to be connected, and for any byte in either direction; 0 is forever. */
  readonly timeoutMs: number;
  readonly input: Pick<Connection, "read">;
  /** Whether the input ends only when somebody wishes so, as at a terminal; then the end of the peer is the end. */
  readonly isInputEndless: boolean;
  readonly output: Pick<Connection, "write">;
  /** Ends the conversation at once; not an error. */
  readonly stop: AbortSignal;
}

/**
 * Talks to a server until it ends the conversation: sends everything, ends the sending side, prints what comes back.
 *
 * @throws {RunError} when the peer refuses, is lost, stays silent for too long, or does not take everything.
 */
export async function runClient(options: ClientOptions): Promise<void> {
  const peer = formatAddress(options.connect);
  const silence = new SilenceWatch(options.timeoutMs, options.stop);
  try {
    const conn = await connect(options.connect, silence.signal);
    const close = (): void => conn.close();
    silence.signal.addEventListener("abort", close, { once: true });
    if (silence.signal.aborted) close();
    try {
      await converse(silence.watching(conn), options);
    } finally {
      silence.signal.removeEventListener("abort", close);
      if (!silence.signal.aborted) conn.close();
    }
  } catch (error) {
    if (options.stop.aborted || error instanceof OutputClosed) return;
    if (error instanceof RunError) throw error;
    if (silence.signal.aborted) {
      throw new RunError(`${peer}: nothing came for ${formatDuration(options.timeoutMs)}`);
    }
    throw new RunError(`${peer}: ${describe(error)}`, { cause: error });
  } finally {
    silence.end();
  }
}

function connect(address: Address, signal: AbortSignal): Promise<Deno.Conn> {
  if (address.transport === "unix") return Deno.connect({ transport: "unix", path: address.path });
  return Deno.connect({ hostname: address.host, port: address.port, signal });
}

/** Sends and receives at the same time: either alone could wait for a peer that waits for the other. */
async function converse(conn: Connection, options: ClientOptions): Promise<void> {
  const sending = sendAll(conn, options).then(() => undefined, (error: unknown) => ({ error }));
  const inputFailure = sending.then((failure) => {
    return failure?.error instanceof RunError ? Promise.reject(failure.error) : new Promise<never>(() => {});
  });
  await Promise.race([receiveAll(conn, options), inputFailure]);
  // The peer has said all it will, and may still listen; only a person at a terminal is not kept waiting for that.
  const failure = options.isInputEndless ? await Promise.race([sending, undefined]) : await sending;
  if (failure !== undefined) throw failure.error;
}

async function receiveAll(conn: Connection, options: ClientOptions): Promise<void> {
  for await (const chunk of chunks(conn)) await writeOut(chunk, options.output);
}

async function sendAll(conn: Connection, options: ClientOptions): Promise<void> {
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

async function readInput(input: ClientOptions["input"], buffer: Uint8Array): Promise<number | null> {
  try {
    return await input.read(buffer);
  } catch (error) {
    throw new RunError(`stdin: ${reasonOf(error).toLowerCase()}`, { cause: error });
  }
}

/** Aborts its signal when nothing has moved for too long, or when the user wishes to stop. */
class SilenceWatch {
  readonly signal: AbortSignal;
  readonly #clock = new CoarseClock();
  readonly #silent = new AbortController();
  #lastActiveMs: number;

  constructor(timeoutMs: number, stop: AbortSignal) {
    this.signal = AbortSignal.any([this.#silent.signal, stop]);
    this.#lastActiveMs = this.#clock.exactMs();
    if (timeoutMs === 0) return;
    this.#clock.watch({
      onTick: (nowMs) => {
        if (nowMs - this.#lastActiveMs >= timeoutMs) this.#silent.abort();
      },
    });
    this.#clock.start();
  }

  /** The connection, with each read and write taken note of. */
  watching(conn: Connection): Connection {
    const noted = async <T>(moved: Promise<T>): Promise<T> => {
      const result = await moved;
      this.#lastActiveMs = this.#clock.exactMs();
      return result;
    };
    return {
      read: (buffer) => noted(conn.read(buffer)),
      write: (bytes) => noted(conn.write(bytes)),
      closeWrite: () => conn.closeWrite(),
    };
  }

  end(): void {
    this.#clock.stop();
  }
}

function describe(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused; nothing listens there";
  if (error instanceof Deno.errors.ConnectionReset) return "the connection was reset by the peer";
  if (error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.NotConnected) {
    return "the peer closed the connection before it had taken everything";
  }
  if (reasonOf(error).startsWith("failed to lookup address")) return "there is no such name";
  if (error instanceof Deno.errors.NotFound) return "there is no such socket";
  if (error instanceof Deno.errors.NotCapable) {
    return "sockbal was started without permission to connect there";
  }
  return reasonOf(error).toLowerCase();
}

/** Talks from stdin, or the messages of the flags, to stdout. */
export async function runClientRole(flags: ClientFlags, terminal: Terminal): Promise<void> {
  await giveUpWriting([flags.connect]);
  await runClient({
    ...flags,
    input: Deno.stdin,
    isInputEndless: flags.messages.length === 0 && Deno.stdin.isTerminal(),
    output: Deno.stdout,
    stop: terminal.stop,
  });
}
