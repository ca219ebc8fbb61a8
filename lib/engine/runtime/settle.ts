/**
 * Settles the addresses of listeners: each becomes one or two sockets with a definite host and port, which are bound once to see
 * that they can be, before any worker starts.
 */

import { type Address, formatAddress, type IpAddress } from "../../core/address.ts";
import { type Bind, bindAll, type BoundSocket, listenTcp, tryIPv4 } from "../../core/all_addresses.ts";
import { canonicalHost, type Holder, overlappingHolder, sameHolder } from "../../core/overlap.ts";
import { zoneOf } from "../../core/zone.ts";
import { describeListenError } from "../listen_error.ts";

/**
 * Gives the sockets of each address. "All addresses" is one or two of them (see all_addresses.ts), any other address is one. Port 0
 * becomes a port that is free now. All sockets are bound at the same time, so two spellings of one address are found.
 *
 * @param held What this program listens on already. Such a socket is used again, not bound.
 * @throws {RunError} that says in one sentence why an address cannot be listened on.
 */
export function settleAddresses(addresses: readonly Address[], held: readonly Holder[] = []): Address[][] {
  const bound: BoundSocket[] = [];
  const settled: Holder[] = [];
  try {
    return addresses.map((address) => {
      const sockets = settleOne(address, held, settled, bound);
      settled.push(...sockets.map((it) => {
        return { address: it, what: "another listener", isStaying: true, isShareable: false };
      }));
      return sockets;
    });
  } finally {
    for (const socket of bound) socket.close();
  }
}

/**
 * @param settled The sockets of the addresses before this one.
 * @param bound Sockets that are bound here are added to it; the caller closes them.
 */
function settleOne(
  address: Address,
  held: readonly Holder[],
  settled: readonly Holder[],
  bound: BoundSocket[],
): Address[] {
  if (address.transport === "unix") return [address];
  const holders = [...settled, ...held];
  const same = sameHolder(address, holders);
  if (same !== undefined && same.isShareable && !same.isStaying) {
    const second = address.host === "" ? secondSocket(address, held, bound) : undefined;
    return second === undefined ? [same.address] : [same.address, second];
  }
  const { host: hostname, port } = address;
  const bind = binding(address);
  const ipv4: IpAddress = { ...address, host: "0.0.0.0" };
  const hasIPv4 = hostname === "" && sameHolder(ipv4, held)?.isShareable === true;
  try {
    // IPv4 is held already. Whether IPv6 can be bound beside it depends on the system.
    if (hasIPv4) bound.push(bind("::", port));
    if (hasIPv4) return [{ ...address, host: "::" }, ipv4];
    const sockets = hostname === "" ? bindAll(bind, port) : [bind(hostname, port)];
    bound.push(...sockets);
    return sockets.map((socket) => addressOf(socket, address));
  } catch (error) {
    const rival = error instanceof Deno.errors.AddrInUse ? overlappingHolder(address, holders) : undefined;
    throw describeListenError(address, error, rival === undefined ? undefined : describeRival(rival));
  }
}

/** Overlapping sockets cannot be bound at once, and between closing one and binding the other, connections would be refused. */
function describeRival({ what, address, isStaying }: Holder): string {
  const where = `${what} of this program on ${formatAddress(address)}`;
  return isStaying ? where : `${where}; a change from there to here needs a restart`;
}

/** The IPv4 socket of "all addresses", beside a held socket on `::`. Undefined when that one accepts IPv4 as well. */
function secondSocket(
  wanted: IpAddress,
  held: readonly Holder[],
  bound: BoundSocket[],
): Address | undefined {
  const address: IpAddress = { ...wanted, host: "0.0.0.0" };
  if (sameHolder(address, held) !== undefined) return address;
  const socket = tryIPv4(binding(wanted), wanted.port);
  if (socket === undefined) return undefined;
  bound.push(socket);
  return address;
}

/** How sockets of its transport are bound. */
function binding({ transport }: IpAddress): Bind<BoundSocket> {
  return transport === "tcp" ? listenTcp : bindUdp;
}

function bindUdp(hostname: string, port: number): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port });
}

/** The address that was bound, with the zone of the one wanted: the runtime leaves the zone out. */
function addressOf({ addr }: BoundSocket, wanted: IpAddress): Address {
  const { hostname, port } = addr as Deno.NetAddr;
  const zone = zoneOf(wanted.host);
  const host = canonicalHost(hostname) + (zone === undefined ? "" : `%${zone}`);
  return { ...wanted, host, port };
}
