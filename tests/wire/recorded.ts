/** What real programs sent first over loopback: OpenSSL 3.0, curl 7.88, Node.js 20, Deno 2.9, Chromium 156, HAProxy 2.6. */

import recorded from "./recorded.json" with { type: "json" };

/** ClientHellos. What they say was compared with how each program was started. */
export const HELLOS = recorded.hellos.map(({ hex, serverName, ...rest }) => ({
  ...rest,
  serverName: serverName ?? undefined,
  bytes: Uint8Array.fromHex(hex),
}));

/** Headers of the PROXY protocol, most of them with payload behind. */
export const HEADERS = recorded.headers.map(({ hex, from }) => ({ from, bytes: Uint8Array.fromHex(hex) }));
