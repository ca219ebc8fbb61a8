/**
 * Reads from a client that has no backend yet, so that a client that is gone is noticed while its session dials or is queued.
 *
 * The runtime has no readiness call, so noticing means reading. The relay takes over what was read.
 */

import { joined } from "../../core/joined.ts";
import { type Buffers, SMALL_BUFFER_BYTES } from "./buffers.ts";
import type { RuntimeConn } from "./runtime_conn.ts";

/** As much is read at most of a client that waits; what it sends beyond that stays in the kernel's buffer. */
const MAX_WAITING_BYTES = 8 * 1024;

/** A read that has begun before there was a backend to write to. */
export interface EarlyRead {
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** How many bytes of the buffer are filled; null at the end of the stream. Rejects when the client is gone. */
  filled: Promise<number | null>;
  /** The read after this one; undefined when none has begun. */
  next: EarlyRead | undefined;
}

/** Begins to read. Who takes the read over, the relay or {@linkcode releaseEarlyReads}, gives its buffer back. */
export function beginEarlyRead(client: Pick<RuntimeConn, "read">, buffers: Buffers): EarlyRead {
  const buffer = buffers.small();
  return { buffer, filled: client.read(buffer), next: undefined };
}

/**
 * Reads until the client has ended its sending side, or `isWaiting` gives false, or there is no room for more.
 *
 * @param before As many bytes were read before, and are kept.
 */
export async function readUntilEnd(
  first: EarlyRead,
  client: Pick<RuntimeConn, "read">,
  buffers: Buffers,
  before: number,
  isWaiting: () => boolean,
): Promise<"ended" | "stopped"> {
  let read = first;
  for (let kept = before + SMALL_BUFFER_BYTES;; kept += SMALL_BUFFER_BYTES) {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    if (await read.filled === null) return "ended";
    if (!isWaiting() || kept >= MAX_WAITING_BYTES) return "stopped";
    read = read.next ??= beginEarlyRead(client, buffers);
  }
}

export interface FirstBytes {
  readonly isEnough: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface Collecting {
  /** What was read before, and is the beginning. */
  readonly before: Uint8Array<ArrayBuffer>;
  readonly isEnough: (bytes: Uint8Array) => boolean;
  readonly maxBytes: number;
  /** Asked after each wait: once the connection is closed, its buffer may serve others. */
  readonly isOpen: () => boolean;
}

/**
 * Reads until the bytes are enough, or as many as are waited for, or the client has ended its sending side. It copies them out of the
 * buffer, which every read uses again: a client may send byte by byte.
 *
 * @param read The read that is under way. Afterwards it is the one that comes after all bytes, so that a client that is gone is
 * noticed; or it has found the end.
 * @return "gone" when the client has reset its connection, or the connection was closed.
 * @throws What `isEnough` throws.
 */
export async function collectFirstBytes(
  read: EarlyRead,
  client: Pick<RuntimeConn, "read">,
  { before, isEnough, maxBytes, isOpen }: Collecting,
): Promise<FirstBytes | "gone"> {
  let bytes = before;
  // Nothing is told before the one who asks has been given this promise.
  await undefined;
  if (!isOpen()) return "gone";
  if (bytes.length > 0 && isEnough(bytes)) return { isEnough: true, bytes };
  while (bytes.length < maxBytes) {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    const filled = await read.filled.catch(() => "gone" as const);
    if (filled === "gone" || !isOpen()) return "gone";
    if (filled === null) break;
    bytes = joined(bytes, read.buffer.subarray(0, filled));
    const isDone = isEnough(bytes);
    const room = maxBytes - bytes.length;
    read.filled = client.read(isDone || room <= 0 ? read.buffer : read.buffer.subarray(0, room));
    if (isDone) return { isEnough: true, bytes };
  }
  return { isEnough: false, bytes };
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
