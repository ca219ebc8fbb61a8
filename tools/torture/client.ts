// deno-lint-ignore-file no-await-in-loop -- a stream is written and read in order

import type { Random } from "./random.ts";

/** How a client fared. */
export type Outcome =
  /** All that it sent came back. */
  | "whole"
  /** What came back was right as far as it came. */
  | "cut"
  /** It could not connect. */
  | "refused"
  /** It left on purpose before the end. */
  | "left"
  /** Nothing came for so long that the balancer must have forgotten it. */
  | "forgotten"
  /** What came back was not what it sent: a fault of the balancer. */
  | "wrong";

/** Longer than any fault lasts, and than the balancer lets a silent session be. */
const FORGOTTEN_MS = 60_000;

export interface Result {
  readonly outcome: Outcome;
  readonly received: number;
}

/** Sends bytes that only it would send, in pieces and with pauses, and looks at every byte that comes back. */
export async function runClient(port: number, random: Random): Promise<Result> {
  const size = 1 + random.below(random.next() < 0.1 ? 2_000_000 : 20_000);
  const seed = random.below(251);
  const willLeave = random.next() < 0.1;
  const slowMs = random.next() < 0.2 ? 5 : 0;
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({ hostname: "127.0.0.1", port });
  } catch {
    return { outcome: "refused", received: 0 };
  }
  let isForgotten = false;
  const watch = setInterval(() => {
    if (performance.now() - lastMs < FORGOTTEN_MS) return;
    isForgotten = true;
    clearInterval(watch);
    conn.close();
  }, 1_000);
  let lastMs = performance.now();
  const sending = send(conn, size, seed, slowMs).catch(() => {});
  const buffer = new Uint8Array(8_192);
  let received = 0;
  let outcome: Outcome = "cut";
  try {
    for (;;) {
      const filled = await conn.read(buffer);
      if (filled === null) break;
      lastMs = performance.now();
      for (let i = 0; i < filled; i++) {
        if (buffer[i] !== byteAt(received + i, seed)) return { outcome: "wrong", received };
      }
      received += filled;
      if (willLeave && received > size / 2) {
        outcome = "left";
        break;
      }
      if (slowMs > 0) await pause(slowMs);
    }
    if (received === size) outcome = "whole";
    if (received > size) outcome = "wrong";
  } catch {
    // A reset; what came before it was right.
  } finally {
    clearInterval(watch);
    if (!isForgotten) conn.close();
    await sending;
  }
  return { outcome: isForgotten ? "forgotten" : outcome, received };
}

async function send(conn: Deno.TcpConn, size: number, seed: number, slowMs: number): Promise<void> {
  const piece = new Uint8Array(4_096);
  for (let sent = 0; sent < size;) {
    const length = Math.min(piece.length, size - sent);
    for (let i = 0; i < length; i++) piece[i] = byteAt(sent + i, seed);
    for (let written = 0; written < length;) written += await conn.write(piece.subarray(written, length));
    sent += length;
    if (slowMs > 0) await pause(slowMs);
  }
  await conn.closeWrite();
}

/** 251 is prime, so that pieces that were swapped or repeated do not look right. */
function byteAt(offset: number, seed: number): number {
  return (offset * 7 + seed) % 251;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
