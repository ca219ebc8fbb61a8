/** A connection that is served badly: late, slowly, cut short, or with other bytes. The handler knows nothing of it. */

import { chunks, type Connection, writeAll } from "../core/connection.ts";
import type { FailWay, Misbehaviour } from "../core/misbehaviour.ts";
import { sleep } from "../core/sleep.ts";
import { delayMs, garbage } from "./chance.ts";
import type { Handler } from "./handler.ts";

/** How fast a connection is that fails by `slow-read` or `slow-write`. */
export const SLOW_BYTES_PER_SECOND = 10;

/** What is sent at once of a connection with a limit is a tenth of a second's worth. */
const SLICES_PER_SECOND = 10;

/** Of one connection. */
export interface MisbehavingOptions {
  /** Its number on this server, which begins with 1. */
  readonly number: number;
  /** How it fails, unless that happened before it is served. */
  readonly failure: FailWay | undefined;
  /** Asked with each answer: what is wrong may change. */
  readonly current: () => Misbehaviour;
  /** The number of the answer that begins now, of all of this server. */
  readonly nextAnswer: () => number;
  /** Ends every wait. */
  readonly closed: AbortSignal;
  /** Resets the connection. */
  readonly reset: () => void;
}

/** Thrown through the handler: what it has sent is all, and the connection ends as if it was done. */
class LastAnswer extends Error {}

/** The handler for one connection, which is served as the options say. */
export function misbehaving(handler: Handler, options: MisbehavingOptions): Handler {
  return async (connection, context) => {
    if (options.failure === "hang") return await hang(connection, options.closed);
    try {
      await handler(new MisbehavingConnection(connection, options), context);
    } catch (error) {
      if (!(error instanceof LastAnswer)) throw error;
    }
  };
}

/** Takes what comes and says nothing. A client that has ended its sending side may still wait, so it is held, too. */
async function hang(connection: Connection, closed: AbortSignal): Promise<void> {
  for await (const _ of chunks(connection));
  if (closed.aborted) return;
  await new Promise((resolve) => closed.addEventListener("abort", resolve, { once: true }));
}

/** An answer is what the handler writes between two reads. */
class MisbehavingConnection implements Connection {
  readonly #connection: Connection;
  readonly #options: MisbehavingOptions;
  #answers = 0;
  #writes = 0;
  #isAnswering = false;
  /** When the next slice may be sent. */
  #sendMs = 0;

  constructor(connection: Connection, options: MisbehavingOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const { closeAfter } = this.#options.current();
    if (closeAfter > 0 && this.#answers >= closeAfter) {
      throw new LastAnswer("Cannot read on: it was the last");
    }
    const isSlow = this.#options.failure === "slow-read";
    if (isSlow) await sleep(1_000 / SLOW_BYTES_PER_SECOND, this.#options.closed);
    const filled = await this.#connection.read(isSlow ? buffer.subarray(0, 1) : buffer);
    this.#isAnswering = false;
    return filled;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const { delay, bytesPerSecond, seed } = this.#options.current();
    if (!this.#isAnswering) {
      this.#isAnswering = true;
      this.#answers++;
      const answer = this.#options.nextAnswer();
      if (delay !== undefined) await sleep(delayMs(answer, delay, seed), this.#options.closed);
    }
    switch (this.#options.failure) {
      case "reset":
        this.#options.reset();
        throw new Error("the connection was reset on purpose");
      case "close-early":
        await writeAll(this.#connection, bytes.subarray(0, bytes.length >> 1));
        throw new LastAnswer("Cannot write on: it is cut short");
      case "slow-write":
        return await this.#writeSlice(bytes, SLOW_BYTES_PER_SECOND);
      case "garbage":
        bytes = garbage(this.#options.number, this.#writes++, bytes.length, seed);
    }
    return bytesPerSecond === 0
      ? await this.#connection.write(bytes)
      : await this.#writeSlice(bytes, bytesPerSecond);
  }

  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  /** Writes the beginning, as soon as what was written before has had its time. */
  async #writeSlice(bytes: Uint8Array, bytesPerSecond: number): Promise<number> {
    const slice = bytes.subarray(0, Math.max(1, Math.floor(bytesPerSecond / SLICES_PER_SECOND)));
    const nowMs = performance.now();
    const startMs = Math.max(this.#sendMs, nowMs);
    this.#sendMs = startMs + slice.length * 1_000 / bytesPerSecond;
    await sleep(startMs - nowMs, this.#options.closed);
    await writeAll(this.#connection, slice);
    return slice.length;
  }
}
