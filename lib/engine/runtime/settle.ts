/** Where listeners listen: addresses with nothing left open, each tried before any worker is started. */

import { type Address, formatAddress, type TcpAddress } from "../../core/address.ts";
import { listenOnAll, tryIPv4 } from "../../core/all_addresses.ts";
import { canonicalHost, type Holder, overlappingHolder, sameHolder } from "../../core/overlap.ts";
import { zoneOf } from "../../core/zone.ts";
import { describeListenError } from "../listen_error.ts";

/**
 * Gives the sockets of each address: "all addresses" is one or two of them (see all_addresses.ts), every other address is
 * one; port 0 becomes a port that is free now. All are open at the same time, so that no two of them, however they are
 * written, are the same.
 *
 * @param held What this program listens on already. Such a socket is used again, not tried.
 * @throws {RunError} that says in one sentence why one cannot be listened on.
 */
export function settleAddresses(addresses: readonly Address[], held: readonly Holder[] = []): Address[][] {
  const open: Deno.TcpListener[] = [];
  const taken: Holder[] = [];
  try {
    return addresses.map((address) => {
      const sockets = settle(address, held, taken, open);
      taken.push(...sockets.map((it) => {
        return { address: it, what: "another listener", isStaying: true, isShareable: false };
      }));
      return sockets;
    });
  } finally {
    for (const listener of open) listener.close();
  }
}

/**
 * @param taken The sockets of the addresses before this one.
 * @param open What is listened on here is added to it.
 */
function settle(
  address: Address,
  held: readonly Holder[],
  taken: readonly Holder[],
  open: Deno.TcpListener[],
): Address[] {
  if (address.transport === "unix") return [address];
  const holders = [...taken, ...held];
  const same = sameHolder(address, holders);
  if (same?.address.transport === "tcp" && same.isShareable && !same.isStaying) {
    const second = address.host === "" ? secondSocket(address, held, open) : undefined;
    return second === undefined ? [same.address] : [same.address, second];
  }
  const { host: hostname, port } = address;
  const ipv4: TcpAddress = { ...address, host: "0.0.0.0" };
  const hasIPv4 = hostname === "" && sameHolder(ipv4, held)?.isShareable === true;
  try {
    // With IPv4 in our hands already, it depends on the system whether IPv6 can be had beside it.
    if (hasIPv4) open.push(Deno.listen({ hostname: "::", port }));
    if (hasIPv4) return [{ ...address, host: "::" }, ipv4];
    const listeners = hostname === "" ? listenOnAll(port) : [Deno.listen({ hostname, port })];
    open.push(...listeners);
    return listeners.map((listener) => addressOf(listener, address));
  } catch (error) {
    const rival = error instanceof Deno.errors.AddrInUse ? overlappingHolder(address, holders) : undefined;
    throw describeListenError(address, error, rival === undefined ? undefined : describeRival(rival));
  }
}

/** Two sockets that overlap cannot be open at once, and between the one and the other connections would be refused. */
function describeRival({ what, address, isStaying }: Holder): string {
  const place = `${what} of this program on ${formatAddress(address)}`;
  return isStaying ? place : `${place}; a change from there to here needs a restart`;
}

/** What "all addresses" needs beside a socket on `::` that is held already; undefined when that one takes IPv4 as well. */
function secondSocket(
  { port }: TcpAddress,
  held: readonly Holder[],
  open: Deno.TcpListener[],
): Address | undefined {
  const address: TcpAddress = { transport: "tcp", host: "0.0.0.0", port };
  if (sameHolder(address, held) !== undefined) return address;
  const listener = tryIPv4(port);
  if (listener === undefined) return undefined;
  open.push(listener);
  return address;
}

/** The runtime does not tell the zone of an address. */
function addressOf({ addr: { hostname, port } }: Deno.TcpListener, wanted: TcpAddress): Address {
  const zone = zoneOf(wanted.host);
  const host = canonicalHost(hostname) + (zone === undefined ? "" : `%${zone}`);
  return { transport: "tcp", host, port };
}
