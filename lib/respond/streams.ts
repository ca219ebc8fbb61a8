/** Handlers that answer what they read, as they read it. */

import { chunks, type Connection, writeAll } from "../core/connection.ts";

/** Sends back what comes (RFC 862). */
export async function echo(connection: Connection): Promise<void> {
  for await (const chunk of chunks(connection)) await writeAll(connection, chunk);
}

/** Reads and throws away (RFC 863). */
export async function discard(connection: Connection): Promise<void> {
  for await (const _ of chunks(connection));
}

/** Sends back UTF-8 text in upper case. */
export async function upper(connection: Connection): Promise<void> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  for await (const chunk of chunks(connection)) {
    await writeAll(connection, encoder.encode(decoder.decode(chunk, { stream: true }).toUpperCase()));
  }
  await writeAll(connection, encoder.encode(decoder.decode().toUpperCase()));
}
