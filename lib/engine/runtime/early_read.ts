/**
 * Reads from a client that has no backend yet, so that a client that is gone is noticed while its session dials or is queued.
 *
 * The runtime has no readiness call, so noticing means reading. The relay takes over what was read.
 */

import { MAX_FIRST_BYTES } from "../contract.ts";
import { type Buffers, SMALL_BUFFER_BYTES } from "./buffers.ts";

/** A read that has begun before there was a backend to write to. */
export interface EarlyRead {
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** How many bytes of the buffer are filled; null at the end of the stream. Rejects when the client is gone. */
  filled: Promise<number | null>;
  /** The read after this one; undefined when none has begun. */
  next: EarlyRead | undefined;
}

const MAX_EARLY_READS = MAX_FIRST_BYTES / SMALL_BUFFER_BYTES;

/** Begins to read. Who takes the read over, the relay or {@linkcode releaseEarlyReads}, gives its buffer back. */
export function beginEarlyRead(client: Deno.Conn, buffers: Buffers): EarlyRead {
  const buffer = buffers.small();
  return { buffer, filled: client.read(buffer), next: undefined };
}

/** Reads until the client has ended its sending side, or `isWaiting` gives false, or there is no room for more. */
export async function readUntilEnd(
  first: EarlyRead,
  client: Deno.Conn,
  buffers: Buffers,
  isWaiting: () => boolean,
): Promise<"ended" | "stopped"> {
  let read = first;
  for (let reads = 1;; reads++) {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    if (await read.filled === null) return "ended";
    if (!isWaiting() || reads === MAX_EARLY_READS) return "stopped";
    read = read.next ??= beginEarlyRead(client, buffers);
  }
}

export interface FirstBytes {
  readonly isEnough: boolean;
  readonly bytes: Uint8Array;
  readonly next: EarlyRead | undefined;
}

/**
 * Reads until the bytes are enough. Each buffer is filled before the next one is taken: a client may send byte by byte.
 *
 * @return All bytes so far. When they are enough, another read has begun after them, so that a client that is gone is noticed. "gone"
 * when the client has reset its connection, or the connection was closed.
 * @param isOpen Asked after each wait: once the connection is closed, its buffers may serve others.
 * @throws What `isEnough` throws.
 */
export async function collectFirstBytes(
  first: EarlyRead,
  client: Deno.Conn,
  buffers: Buffers,
  isEnough: (bytes: Uint8Array) => boolean,
  isOpen: () => boolean,
): Promise<FirstBytes | "gone"> {
  let bytes: Uint8Array = new Uint8Array(0);
  // How much of the buffer of `read` is in `bytes`.
  let [read, used] = [first, 0];
  for (;;) {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    const filled = await read.filled.catch(() => "gone" as const);
    if (filled === "gone" || !isOpen()) return "gone";
    const more = filled === null ? 0 : filled - used;
    if (more === 0) return { isEnough: false, bytes, next: undefined };
    bytes = joined(bytes, read.buffer.subarray(used, used + more));
    if (isEnough(bytes)) {
      return { isEnough: true, bytes, next: read.next ??= beginEarlyRead(client, buffers) };
    }
    if (bytes.length === MAX_FIRST_BYTES) return { isEnough: false, bytes, next: undefined };
    used += more;
    if (used === read.buffer.length) {
      used = 0;
      read = read.next ??= beginEarlyRead(client, buffers);
    } else {
      readIntoRest(read, used, client, buffers);
    }
  }
}

/** Reads into the rest of a buffer. At the end of the stream it adds a next read, which is the one that finds the end. */
function readIntoRest(read: EarlyRead, used: number, client: Deno.Conn, buffers: Buffers): void {
  read.filled = client.read(read.buffer.subarray(used)).then((more) => {
    if (more !== null) return used + more;
    read.next = { buffer: buffers.small(), filled: Promise.resolve(null), next: undefined };
    return used;
  });
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** Gives back the buffers of early reads that no relay takes over. Their connection is closed before. */
export async function releaseEarlyReads(first: EarlyRead, buffers: Buffers): Promise<void> {
  for (let read: EarlyRead | undefined = first; read !== undefined; read = read.next) {
    try {
      // deno-lint-ignore no-await-in-loop -- each is done at once, since the connection is closed
      await read.filled;
    } catch {
      // The read has failed because of the close, so the system no longer uses the buffer.
    }
    buffers.giveBack(read.buffer);
  }
}
