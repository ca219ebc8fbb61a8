/** The part of a connection that handlers and clients need, and what is often done with it. */

/** A stream of bytes in both directions; each ends by itself. `Deno.Conn` is one. */
export interface Connection {
  /** Reads some bytes; null when the peer has ended its sending side. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes and says how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the sending side; the peer may still send. */
  closeWrite(): Promise<void>;
}

/** Enough to move bulk data with few calls. */
export const CHUNK_BYTES = 32 * 1024;

/** Writes all of the bytes. Rejects when the peer is gone. */
export async function writeAll(sink: Pick<Connection, "write">, bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  // deno-lint-ignore no-await-in-loop -- the rest can only follow
  while (rest.length > 0) rest = rest.subarray(await sink.write(rest));
}

/** The chunks of a connection until the peer ends. Each is valid only until the next is asked for. */
export async function* chunks(source: Pick<Connection, "read">): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    // deno-lint-ignore no-await-in-loop -- a stream is read in order
    const filled = await source.read(buffer);
    if (filled === null) return;
    yield buffer.subarray(0, filled);
  }
}
