/**
 * What real programs sent first over loopback: OpenSSL 3.0, curl 7.88, Node.js 20, Deno 2.9, Chromium 156, HAProxy 2.6; and what Knot 3.2 and
 * dnsmasq 2.90 answered.
 */

import type { Question } from "../../lib/wire/dns_message.ts";
import recorded from "./recorded.json" with { type: "json" };

/** ClientHellos. What they say was compared with how each program was started. */
export const HELLOS = recorded.hellos.map(({ hex, serverName, ...rest }) => ({
  ...rest,
  serverName: serverName ?? undefined,
  bytes: Uint8Array.fromHex(hex),
}));

/** Headers of the PROXY protocol, most of them with payload behind. */
export const HEADERS = recorded.headers.map(({ hex, from }) => ({ from, bytes: Uint8Array.fromHex(hex) }));

/** Answers of name servers by TCP, without the length in front, each with its question. */
export const ANSWERS = recorded.answers.map(({ from, name, type, hex }) => ({
  from,
  question: { id: 0x1234, name, type: type as Question["type"] },
  bytes: Uint8Array.fromHex(hex),
}));
