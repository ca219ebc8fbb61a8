/**
 * Reading from a client that has no backend yet, so that a client that leaves is noticed while it is dialled for or while it waits.
 *
 * The runtime has no readiness call, so whatever the client sends meanwhile has been read; the relay takes it from here.
 */

import { type Buffers, SMALL_BUFFER_BYTES } from "./buffers.ts";

/** A read that was begun before there was anybody to write to. */
export interface EarlyRead {
  readonly buffer: Uint8Array<ArrayBuffer>;
  readonly filled: Promise<number | null>;
  /** The read that follows; undefined when none was begun. */
  next: EarlyRead | undefined;
}

/** What a client may send ahead of its backend; then the kernel's buffer fills and the client has to wait. */
const MAX_EARLY_READS = 8 * 1024 / SMALL_BUFFER_BYTES;

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

/** Gives back the buffers of reads that nobody has taken over; their connection has been closed. */
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
