/** What ended a conversation, in words for who began it. Pure. */

import type { Address } from "../core/address.ts";
import { errnoOf, reasonOf } from "../core/errors.ts";
import { isMissingInterface, zoneOf } from "../core/zone.ts";

/** By the name of the error number (errno(3)). */
const FAULTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused; nothing listens there",
  ECONNRESET: "the connection was reset by the peer",
  EPIPE: "the peer closed the connection before it had taken everything",
  ENOTCONN: "the peer closed the connection before it had taken everything",
};

/** Why a peer could not be dialled, or was lost. */
export function describeFault(peer: Address, error: unknown): string {
  const errno = errnoOf(error) ?? "";
  const known = FAULTS[errno];
  if (known !== undefined) return known;
  if (peer.transport === "tcp" && zoneOf(peer.host) !== undefined && isMissingInterface(error)) {
    return `this machine has no network interface ${JSON.stringify(zoneOf(peer.host))}`;
  }
  if (reasonOf(error).startsWith("failed to lookup address")) return "there is no such name";
  if (errno === "ENOENT") return "there is no such socket";
  if (error instanceof Error && error.name === "NotCapable") {
    return "sockbal was started without permission to connect there";
  }
  return reasonOf(error).toLowerCase();
}
