/** What the server answers to a datagram: pure, one datagram in, at most one out. */

import { CHARGEN_PATTERN } from "./chargen.ts";
import type { HandlerContext } from "./handler.ts";
import type { HandlerName } from "./handlers.ts";
import { reversed } from "./reverse.ts";

/** What a handler may know besides the datagram. */
export interface DatagramContext extends HandlerContext {
  /** Gives a number from 0 to 1, without 1. */
  readonly random: () => number;
}

/** Gives the answer to a datagram; undefined where there is none. The datagram may be given back, and is not kept. */
export type DatagramHandler = (datagram: Uint8Array, context: DatagramContext) => Uint8Array | undefined;

/** A longer answer would make the server a means to flood others, since the source of a datagram is easily forged. */
const MAX_CHARGEN_BYTES = 512;

/** Undefined: what has a meaning for connections alone. */
export const datagramHandlers: Readonly<Record<HandlerName, DatagramHandler | undefined>> = {
  /** RFC 862. */
  echo: (datagram) => datagram,
  upper: (datagram) => encode(decode(datagram).toUpperCase()),
  /** Each line by itself, as in a stream. */
  reverse: (datagram) => encode(decode(datagram).split("\n").map(reversed).join("\n")),
  /** RFC 863. */
  discard: () => undefined,
  /** 0 to 512 characters by chance (RFC 864). */
  chargen: (_, { random }) => CHARGEN_PATTERN.subarray(0, Math.floor(random() * (MAX_CHARGEN_BYTES + 1))),
  /** RFC 867. */
  daytime: (_, { now }) => encode(`${now().toISOString()}\n`),
  whoami: (_, { name }) => encode(`${name}\n`),
  http: undefined,
};

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
