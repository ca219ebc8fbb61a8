/** What ended a conversation, in words for who began it. Pure. */

import type { Address } from "../core/address.ts";
import { errnoOf, reasonOf } from "../core/errors.ts";
import { describeTlsFault, TlsFault } from "../engine/runtime/tls_fault.ts";
import { TlsRefusal } from "./start_tls.ts";
import { isMissingInterface, zoneOf } from "../core/zone.ts";

/** By the name of the error number (errno(3)). */
const FAULTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused; nothing listens there",
  ECONNRESET: "the connection was reset by the peer",
  EPIPE: "the peer closed the connection before it had taken everything",
  ENOTCONN: "the peer closed the connection before it had taken everything",
};

/** What to do about reasons why TLS was not opened, or has failed. */
const TLS_ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^its certificate (expired|is not valid)/, "--insecure takes it nevertheless"],
  [
    /^its certificate is not for/,
    "write the name that it has with --server-name, or take any with --insecure",
  ],
  [/^its certificate is from none/, "say whom to trust with --ca FILE, or take any with --insecure"],
  [/certificate that it was shown/, "show another one with --cert and --key"],
  [/wants to be shown/, "show one with --cert and --key"],
  [/^what it sends is /, "leave --tls out"],
  [/^it wants none of the protocols/, "offer others with --alpn"],
  [/before TLS was open$/, "it may not speak TLS, or knows no such name"],
];

/**
 * Why a peer could not be dialled, or was lost.
 *
 * @param isTlsOpen Whether TLS was open.
 */
export function describeFault(peer: Address, error: unknown, isTlsOpen = false): string {
  if (error instanceof TlsRefusal) {
    return withAdvice(error.message.replace(/^it (ended|reset) the connection$/, "$& before TLS was open"));
  }
  const errno = errnoOf(error) ?? "";
  const known = FAULTS[errno];
  if (known !== undefined) return known;
  if (peer.transport !== "unix" && zoneOf(peer.host) !== undefined && isMissingInterface(error)) {
    return `this machine has no network interface ${JSON.stringify(zoneOf(peer.host))}`;
  }
  if (reasonOf(error).startsWith("failed to lookup address")) return "there is no such name";
  if (errno === "ENOENT") return "there is no such socket";
  if (error instanceof Error && error.name === "NotCapable") {
    return "sockbal was started without permission to connect there";
  }
  if (error instanceof TlsFault) {
    return `${error.message} without having ended TLS; what it has sent may be incomplete`;
  }
  // TLS 1.3 tells only then that a certificate is missing, or not accepted.
  if (isTlsOpen && reasonOf(error).includes("alert")) return withAdvice(describeTlsFault(error));
  return reasonOf(error).toLowerCase();
}

function withAdvice(reason: string): string {
  const advice = TLS_ADVICE.find(([pattern]) => pattern.test(reason))?.[1];
  return advice === undefined ? reason : `${reason}; ${advice}`;
}
