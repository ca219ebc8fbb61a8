/** A connection without a socket: what the peer sends is given, what it receives is kept. */

import type { Connection } from "../../lib/core/connection.ts";
import type { Handler, HandlerContext } from "../../lib/respond/handler.ts";
import { bytes } from "../support/bytes.ts";

export const CONTEXT: HandlerContext = { name: "one", now: () => new Date("2026-01-02T03:04:05.678Z") };

export interface MemoryConnection extends Connection {
  /** All that was written. */
  received(): Uint8Array;
}

/** The peer sends these chunks, each in a segment of its own, and ends. */
export function memoryConnection(...segments: readonly (string | Uint8Array)[]): MemoryConnection {
  const waiting = segments.map((it) => typeof it === "string" ? bytes(it) : it).filter((it) => it.length > 0);
  const written: number[] = [];
  return {
    read: (buffer) => {
      const segment = waiting.shift();
      if (segment === undefined) return Promise.resolve(null);
      const taken = segment.subarray(0, buffer.length);
      buffer.set(taken);
      if (taken.length < segment.length) waiting.unshift(segment.subarray(taken.length));
      return Promise.resolve(taken.length);
    },
    // A socket may take less than it is given.
    write: (data) => {
      const taken = data.subarray(0, 1_000);
      for (const byte of taken) written.push(byte);
      return Promise.resolve(taken.length);
    },
    closeWrite: () => Promise.reject(new Error("Cannot close: that is the server's part")),
    received: () => new Uint8Array(written),
  };
}

/** What a handler answers to these segments. */
export async function answerTo(
  handler: Handler,
  ...segments: readonly (string | Uint8Array)[]
): Promise<Uint8Array> {
  const connection = memoryConnection(...segments);
  await handler(connection, CONTEXT);
  return connection.received();
}

/** The bytes in segments that end at these places. */
export function splitAt(data: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((it) => it % (data.length + 1)), data.length].sort((a, b) => a - b);
  return ends.map((end, i) => data.subarray(ends[i - 1] ?? 0, end));
}
