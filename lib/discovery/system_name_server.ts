/** The name server of the system: the first of resolv.conf(5). */

import { isIP } from "../core/is_ip.ts";
import type { TcpAddress } from "../core/address.ts";

/** Read by sources that are given no name server. */
export const RESOLV_CONF = "/etc/resolv.conf";

const DNS_PORT = 53;

/** @throws {Error} with one sentence, when there is none. */
export async function systemNameServer(): Promise<TcpAddress> {
  let text: string;
  try {
    text = await Deno.readTextFile(RESOLV_CONF);
  } catch (error) {
    const why = error instanceof Deno.errors.NotCapable
      ? `sockbal was started without permission to read it (--allow-read=${RESOLV_CONF})`
      : "it cannot be read";
    throw new Error(`cannot find the system's name server in ${RESOLV_CONF}: ${why}; or write resolver`);
  }
  const host = firstNameServer(text);
  if (host === undefined) {
    throw new Error(`${RESOLV_CONF} names no name server; write resolver`);
  }
  return { transport: "tcp", host, port: DNS_PORT };
}

/** Pure. */
export function firstNameServer(text: string): string | undefined {
  for (const line of text.split("\n")) {
    const [, host = ""] = /^\s*nameserver\s+(\S+)/.exec(line) ?? [];
    if (isIP(host.replace(/%.*$/, ""))) return host;
  }
  return undefined;
}
