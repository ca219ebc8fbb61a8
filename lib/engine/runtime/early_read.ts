/**
 * Reading from a client that has no backend yet, so that a client that leaves is noticed while it is dialled for or while it waits.
 *
 * The runtime has no readiness call, so whatever the client sends meanwhile has been read; the relay takes it from here.
 */

import { MAX_FIRST_BYTES } from "../contract.ts";
import { type Buffers, SMALL_BUFFER_BYTES } from "./buffers.ts";

/** A read that was begun before there was anybody to write to. */
export interface EarlyRead {
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** How much of the buffer has been filled; null when the client had ended before. */
  filled: Promise<number | null>;
  /** The read that follows; undefined when none was begun. */
  next: EarlyRead | undefined;
}

const MAX_EARLY_READS = MAX_FIRST_BYTES / SMALL_BUFFER_BYTES;

/** Begins to read. Whoever takes the read over gives its buffer back. */
export function readEarly(client: Deno.Conn, buffers: Buffers): EarlyRead {
  const buffer = buffers.small();
  return { buffer, filled: client.read(buffer), next: undefined };
}

/** Reads on, for as long as `isWaiting`; resolves when the client has ended its sending side, or when that is over. */
export async function readOn(
  first: EarlyRead,
  client: Deno.Conn,
  buffers: Buffers,
  isWaiting: () => boolean,
): Promise<"ended" | "over"> {
  let read = first;
  for (let reads = 1;; reads++) {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    if (await read.filled === null) return "ended";
    if (!isWaiting() || reads === MAX_EARLY_READS) return "over";
    read = read.next ??= readEarly(client, buffers);
  }
}

export interface FirstBytes {
  readonly isEnough: boolean;
  readonly bytes: Uint8Array;
  readonly next: EarlyRead | undefined;
}

/**
 * Reads on until what came is enough, into what is left of each buffer before the next: a client may send byte by byte.
 *
 * @return All that came, and a read that has been begun after it, so that a client that leaves is noticed; "gone" when the client has
 * reset its connection, or it was closed.
 * @throws What `isEnough` throws.
 */
export async function collect(
  first: EarlyRead,
  client: Deno.Conn,
  buffers: Buffers,
  isEnough: (bytes: Uint8Array) => boolean,
): Promise<FirstBytes | "gone"> {
  let bytes: Uint8Array = new Uint8Array(0);
  let [read, seen] = [first, 0];
  for (;;) {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    const filled = await read.filled.catch(() => "gone" as const);
    if (filled === "gone") return filled;
    const more = filled === null ? 0 : filled - seen;
    if (more === 0) return { isEnough: false, bytes, next: undefined };
    bytes = joined(bytes, read.buffer.subarray(seen, seen + more));
    if (isEnough(bytes)) return { isEnough: true, bytes, next: read.next ??= readEarly(client, buffers) };
    if (bytes.length === MAX_FIRST_BYTES) return { isEnough: false, bytes, next: undefined };
    seen += more;
    if (seen === read.buffer.length) {
      seen = 0;
      read = read.next ??= readEarly(client, buffers);
    } else {
      fillUp(read, seen, client, buffers);
    }
  }
}

/** Reads into the rest of a buffer. At the end of the stream, the next read is the one that finds the end. */
function fillUp(read: EarlyRead, seen: number, client: Deno.Conn, buffers: Buffers): void {
  read.filled = client.read(read.buffer.subarray(seen)).then((more) => {
    if (more !== null) return seen + more;
    read.next = { buffer: buffers.small(), filled: Promise.resolve(null), next: undefined };
    return seen;
  });
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** Gives back the buffers of early reads that no relay has taken over. Their connection has been closed. */
export async function dropEarly(first: EarlyRead, buffers: Buffers): Promise<void> {
  for (let read: EarlyRead | undefined = first; read !== undefined; read = read.next) {
    try {
      // deno-lint-ignore no-await-in-loop -- each ends at once, since the connection is closed
      await read.filled;
    } catch {
      // That is the end that was waited for.
    }
    buffers.giveBack(read.buffer);
  }
}
