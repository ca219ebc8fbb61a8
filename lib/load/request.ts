/** What requests send. Pure. */

import type { LoadPlan } from "./plan.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Where made-up requests that are told apart begin in their pad. A prime, so that it has no common step with what is sent. */
const WINDOWS = 4_093;

/** Gives the bytes of each request. They are not to be changed. */
export interface Requests {
  readonly bytes: number;
  /** How many lines one of them has. */
  readonly lines: number;
  /** Whether it asks HTTP for a head alone: its response has no body, whatever it says about one. */
  readonly isHead: boolean;
  /** What request number `n` of a connection sends. */
  of(connection: number, n: number): Bytes;
}

export function requestsOf(
  { request, verify, expect }: Pick<LoadPlan, "request" | "verify" | "expect">,
): Requests {
  if ("text" in request) return same(new TextEncoder().encode(request.text));
  const { bytes } = request;
  // Replies that may be compared are told from those to other requests, unless lines end them.
  if (verify && expect.kind !== "lines") return windows(bytes);
  return same(madeUp(bytes, true));
}

function same(bytes: Bytes): Requests {
  let lines = 0;
  for (const byte of bytes) if (byte === NEWLINE) lines++;
  return { bytes: bytes.length, lines, isHead: startsWith(bytes, HEAD), of: () => bytes };
}

function startsWith(bytes: Bytes, start: Bytes): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}

/** Each is another part of one pad. */
function windows(bytes: number): Requests {
  const pad = madeUp(bytes + WINDOWS, false);
  return {
    bytes,
    lines: 0,
    isHead: false,
    of: (connection, n) => {
      const start = (connection * 2_654_435 + n * 1_013) % WINDOWS;
      return pad.subarray(start, start + bytes);
    },
  };
}

export const NEWLINE = 10;

const HEAD = new TextEncoder().encode("HEAD ");

/** More than this is made by copying, since making it takes seconds; a prime, so that what is sent in pieces never looks the same. */
const PATTERN_BYTES = 1_048_573;

/** Letters, the same in every run. @param hasEnd Whether the last is a newline instead. */
function madeUp(bytes: number, hasEnd: boolean): Bytes {
  const made = new Uint8Array(new ArrayBuffer(bytes));
  let state = 0x2545f491;
  const pattern = Math.min(bytes, PATTERN_BYTES);
  for (let i = 0; i < pattern; i++) {
    // Xorshift (Marsaglia, 2003).
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    made[i] = 97 + (state >>> 0) % 26;
  }
  for (let filled = pattern; filled < bytes; filled *= 2) {
    made.copyWithin(filled, 0, Math.min(filled, bytes - filled));
  }
  if (hasEnd) made[bytes - 1] = NEWLINE;
  return made;
}

/** A request of HTTP/1.1 for whatever is at the root. */
export function httpRequest(host: string, isLast: boolean): string {
  const fields = ["GET / HTTP/1.1", `Host: ${host}`, ...(isLast ? ["Connection: close"] : [])];
  return `${fields.join("\r\n")}\r\n\r\n`;
}
