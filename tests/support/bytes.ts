// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Bytes in and out of sockets, as tests need them. */

import { type Connection, writeAll } from "../../lib/core/connection.ts";

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** Bytes that look random and are the same for the same seed. */
export function pattern(length: number, seed = 1): Uint8Array {
  const data = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    // xorshift32 (Marsaglia 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    data[i] = state;
  }
  return data;
}

/** Everything until the peer ends. */
export async function readAll(conn: Pick<Connection, "read">): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(64 * 1024);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    parts.push(buffer.slice(0, n));
  }
  return joined(parts);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Reads exactly so many bytes. */
export async function readExactly(conn: Pick<Connection, "read">, length: number): Promise<Uint8Array> {
  const data = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const n = await conn.read(data.subarray(filled));
    if (n === null) throw new Error(`Cannot read ${length} bytes: the peer ended after ${filled}`);
    filled += n;
  }
  return data;
}

/** Sends, ends the sending side, and gives back everything that came. */
export async function ask(port: number, data: Uint8Array): Promise<Uint8Array> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const sending = writeAll(conn, data).then(() => conn.closeWrite());
  const answer = await readAll(conn);
  await sending;
  return answer;
}

/** As {@linkcode ask}, but in pieces of so many bytes, each in a segment of its own as far as the system makes it so. */
export async function askInPieces(port: number, data: Uint8Array, pieceBytes: number): Promise<Uint8Array> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay();
  for (let at = 0; at < data.length; at += pieceBytes) {
    await writeAll(conn, data.subarray(at, at + pieceBytes));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await conn.closeWrite();
  return await readAll(conn);
}

/** Sends, and gives back everything that came until the connection was over, by its end or a reset, however early. */
export async function askUntilGone(port: number, data: Uint8Array): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(64 * 1024);
  try {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await writeAll(conn, data);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      parts.push(buffer.slice(0, n));
    }
  } catch (error) {
    const isGone = error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
    if (!isGone) throw error;
  }
  return joined(parts);
}

/** Whether two byte strings are the same. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
