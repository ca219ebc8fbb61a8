/**
 * Whom workers send datagrams to as answers. With the engine runtime that needs a permission for each address (Deno 2.9.6 asks with
 * every datagram that is sent), which connections do not, since those are answered where they come from.
 */

import type { EngineName } from "../config/engine_names.ts";
import type { ListenerConfig } from "../config/listener_schema.ts";
import { type Address, formatAddress, hasName, isIPv6Address, isLocal } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { formatIPRange, type IPRange } from "../core/ip_range.ts";
import { type ListenerOptions, socketsOf } from "../dataplane/messages.ts";

/** Ranges of addresses. */
export type Clients = readonly IPRange[] | "anyone";

const NONE: Clients = [];
const LOOPBACK: IPRange = { network: "127.0.0.0", prefixBits: 8 };
const LOOPBACK_V6: IPRange = { network: "::1", prefixBits: 128 };

/** Those of the listeners on UDP of a configuration. */
export function clientsOf(listeners: readonly Pick<ListenerConfig, "listen" | "allow">[]): Clients {
  return together(listeners.map(({ listen, allow }) => clientsAt([listen], allow)));
}

/** The same of listeners that were settled. */
export function clientsOfSettled(listeners: readonly ListenerOptions[]): Clients {
  return together(listeners.map((listener) => clientsAt(socketsOf(listener), allowedBy(listener))));
}

function allowedBy({ greeting }: ListenerOptions): readonly IPRange[] {
  return greeting?.admission?.allow ?? [];
}

function clientsAt(addresses: readonly Address[], allow: readonly IPRange[]): Clients {
  if (addresses.every(({ transport }) => transport !== "udp")) return NONE;
  if (allow.length > 0) return allow;
  if (!addresses.every(isLocal)) return "anyone";
  // What localhost stands for is not known before it is looked up.
  if (addresses.some(hasName)) return [LOOPBACK, LOOPBACK_V6];
  return addresses.map((address) => isIPv6Address(address) ? LOOPBACK_V6 : LOOPBACK);
}

function together(all: readonly Clients[]): Clients {
  return all.includes("anyone") ? "anyone" : [...new Set(all.flatMap((it) => it as readonly IPRange[]))];
}

/** As permissions have them; undefined when there is none so narrow: of ranges they know those of IPv4 alone. */
export function clientPermissions(clients: Clients): readonly string[] | undefined {
  if (clients === "anyone") return undefined;
  const texts = clients.map((range) => {
    const { network, prefixBits } = range;
    const isV6 = network.includes(":");
    if (prefixBits === (isV6 ? 128 : 32)) return isV6 ? `[${network}]` : network;
    return isV6 ? undefined : formatIPRange(range);
  });
  return texts.includes(undefined) ? undefined : texts.filter((it) => it !== undefined);
}

/** Knows which engine serves a listener. */
interface Hosts {
  hostOf(listener: ListenerOptions): { readonly name: EngineName };
}

/**
 * Makes sure that clients can be answered. It would show with the first datagram, and then as a loss.
 *
 * @throws {RunError} when the program has not the permission for it.
 */
export function checkAnswers(host: Hosts, listeners: readonly ListenerOptions[]): void {
  for (const listener of listeners) {
    if (listener.flows === undefined || host.hostOf(listener).name !== "runtime") continue;
    const missing = missingAnswer(clientsAt(socketsOf(listener), allowedBy(listener)));
    if (missing === undefined) continue;
    throw new RunError(
      `cannot listen on ${
        formatAddress(listener.address)
      }: sockbal was started without permission to answer ` +
        `its clients (${missing})`,
    );
  }
}

/** Of a range its first address is asked for; of the loopback the one that it is known by. */
function missingAnswer(clients: Clients): string | undefined {
  const isGranted = (asked: Deno.PermissionDescriptor): boolean =>
    Deno.permissions.querySync(asked).state === "granted";
  const permissions = clientPermissions(clients);
  if (permissions === undefined) return isGranted({ name: "net" }) ? undefined : "--allow-net";
  const missing = permissions.find((it) => {
    const host = it === formatIPRange(LOOPBACK) ? "127.0.0.1" : it.replace(/\/\d+$/, "");
    return !isGranted({ name: "net", host });
  });
  return missing === undefined ? undefined : `--allow-net=${missing}`;
}
