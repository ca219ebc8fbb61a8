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
  return same(madeUp(bytes, bytes));
}

function same(bytes: Bytes): Requests {
  let lines = 0;
  for (const byte of bytes) if (byte === NEWLINE) lines++;
  return { bytes: bytes.length, lines, of: () => bytes };
}

/** Each is another part of one pad. */
function windows(bytes: number): Requests {
  const pad = madeUp(bytes + WINDOWS, Infinity);
  return {
    bytes,
    lines: 0,
    of: (connection, n) => {
      const start = (connection * 2_654_435 + n * 1_013) % WINDOWS;
      return pad.subarray(start, start + bytes);
    },
  };
}

export const NEWLINE = 10;

/** Letters without a pattern, the same in every run, with a newline after every so many. */
function madeUp(bytes: number, lineBytes: number): Bytes {
  const made = new Uint8Array(new ArrayBuffer(bytes));
  let state = 0x2545f491;
  for (let i = 0; i < bytes; i++) {
    // Xorshift (Marsaglia, 2003).
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    made[i] = (i + 1) % lineBytes === 0 ? NEWLINE : 97 + (state >>> 0) % 26;
  }
  return made;
}
