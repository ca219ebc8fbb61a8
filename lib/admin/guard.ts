/**
 * Against other sites in the operator's browser, decided purely.
 *
 * DNS rebinding makes a browser send requests of a foreign page to an address of this machine, but with the foreign name
 * as Host. A foreign page can also send a POST straight here; then the browser says where it comes from. Programs that
 * are no browsers say neither, and need not.
 */

import { isIPv4 } from "../core/is_ip.ts";
import { type Address, formatHostPort } from "../core/address.ts";

/** As much of a request as tells where it comes from. */
export interface Origins {
  readonly method: string;
  /** `host:port` that the request is meant for. */
  readonly authority: string;
  /** The headers of these names; null when the request has none. */
  readonly origin: string | null;
  readonly secFetchSite: string | null;
}

/** Methods that change nothing. Any page may send them: without CORS headers it cannot read the answer. */
const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/**
 * Why a request is refused, in one sentence; undefined when it is not.
 *
 * @param listen Where the admin side listens, as the user wrote it.
 * @param needsToken Whether every request has to show a token; a foreign page has none.
 */
export function refuseForeign(request: Origins, listen: Address, needsToken: boolean): string | undefined {
  if (!isOwnHost(request.authority, listen, needsToken)) {
    const names = "localhost or an IP address";
    return `The Host header names something else than this admin server; call it by ${names} of this machine.`;
  }
  if (SAFE_METHODS.includes(request.method)) return undefined;
  const { origin, secFetchSite } = request;
  const isOtherOrigin = origin !== null && !isSameHost(origin, request.authority);
  const isOtherSite = secFetchSite !== null && secFetchSite !== "same-origin" && secFetchSite !== "none";
  if (isOtherOrigin || isOtherSite) return "A page of another site may not change anything here.";
  return undefined;
}

/**
 * Whether a name may stand for this server.
 *
 * `localhost` always may: no DNS server has a say in it. On a loopback address so may the loopback addresses, with any
 * port, since people forward ports. On other addresses any IP address may, for which no DNS is asked either, and with a
 * token any name. A browser does not speak to Unix sockets.
 */
function isOwnHost(authority: string, listen: Address, needsToken: boolean): boolean {
  if (listen.transport === "unix") return true;
  const host = hostnameOf(authority);
  if (host === undefined) return false;
  const own = listen.host === "" ? undefined : hostnameOf(formatHostPort(listen.host, listen.port));
  if (host === "localhost" || host === own) return true;
  if (own !== undefined && isLoopback(own)) return host === "127.0.0.1" || host === "[::1]";
  return needsToken || host.startsWith("[") || isIPv4(host);
}

/** The host of `host:port`, in lower case, addresses in their usual form; undefined when it is none. */
function hostnameOf(authority: string): string | undefined {
  // These would make the parser see user names, paths or nothing where the host is.
  if (/[\s@/?#\\]/.test(authority)) return undefined;
  // The zone of an address does not belong there, and no URL can have one; some clients send it all the same.
  return URL.parse(`http://${authority.replace(/%[^\]]*\]/, "]")}/`)?.hostname;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || (isIPv4(host) && host.startsWith("127."));
}

/** Whether an Origin is of this host and port; `null`, which browsers send for the nameless, is of none. */
function isSameHost(origin: string, authority: string): boolean {
  const url = URL.parse(origin);
  // The scheme may differ, behind a proxy that ends TLS; which port is meant when none is written depends on it.
  return url !== null && url.host !== "" && url.host === URL.parse(`${url.protocol}//${authority}`)?.host;
}
