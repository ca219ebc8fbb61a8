/** Listening sockets: bound once, then shared by every thread of the process. */

import { type Address, formatAddress, type TcpAddress } from "../core/address.ts";
import { reasonOf, RunError } from "../core/errors.ts";

/** TCP: the option that the type definitions leave out. */
type SharedListenOptions = Deno.TcpListenOptions & { loadBalanced: true };

/**
 * Listens on an address, together with every other thread of this process that listens on it.
 *
 * For TCP each caller gets a duplicate of one listening socket (`loadBalanced`), so nothing that waits in its backlog is
 * lost as long as one of them is open. The runtime knows the sockets by the address asked for: settle it before, with
 * {@linkcode settleAddress}. A Unix socket cannot be shared so; only one caller may listen on it. The caller closes
 * the listener.
 *
 * @throws {RunError} that says in one sentence why it cannot be done.
 */
export async function listenShared(address: Address, backlog: number): Promise<Deno.Listener> {
  try {
    if (address.transport === "unix") return await listenUnix(address.path);
    const { host: hostname, port } = address;
    const options: SharedListenOptions = { hostname, port, tcpBacklog: backlog, loadBalanced: true };
    return Deno.listen(options);
  } catch (error) {
    throw describeListenError(address, error);
  }
}

/**
 * The address with nothing left open: for "all addresses" the host that means them (IPv6 with IPv4 mapped into it, or
 * IPv4 on a machine without IPv6), for port 0 a port that is free now. Tries whether a TCP address can be listened on.
 *
 * @throws {RunError} that says in one sentence why it cannot.
 */
export function settleAddress(address: Address): Address {
  if (address.transport === "unix") return address;
  try {
    return tryListening(address.host === "" ? "::" : address.host, address.port);
  } catch (error) {
    const hasNoIpv6 = address.host === "" && !(error instanceof Deno.errors.AddrInUse);
    if (!hasNoIpv6) throw describeListenError(address, error);
  }
  try {
    return tryListening("0.0.0.0", address.port);
  } catch (error) {
    throw describeListenError(address, error);
  }
}

function tryListening(hostname: string, port: number): TcpAddress {
  const listener = Deno.listen({ hostname, port });
  listener.close();
  return { transport: "tcp", host: hostname, port: listener.addr.port };
}

/** Removes the file that a Unix socket leaves behind when its listener has been closed. */
export async function removeSocketFile(address: Address): Promise<void> {
  if (address.transport === "tcp") return;
  try {
    await Deno.remove(address.path);
  } catch {
    // Somebody was faster; gone is gone.
  }
}

/** Listens on a path; a socket file that a crashed program left behind, where nobody answers, is removed. */
async function listenUnix(path: string): Promise<Deno.UnixListener> {
  try {
    return Deno.listen({ transport: "unix", path });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse) || await isAnswered(path)) throw error;
    await Deno.remove(path);
    return Deno.listen({ transport: "unix", path });
  }
}

/** Whether somebody listens on a path. What is no socket at all counts as answered: it is not ours to remove. */
async function isAnswered(path: string): Promise<boolean> {
  try {
    if (!(await Deno.lstat(path)).isSocket) return true;
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.ConnectionRefused);
  }
}

function describeListenError(address: Address, error: unknown): RunError {
  return new RunError(`cannot listen on ${formatAddress(address)}: ${describeReason(address, error)}`, {
    cause: error,
  });
}

function describeReason(address: Address, error: unknown): string {
  const isTcp = address.transport === "tcp";
  if (error instanceof Deno.errors.AddrInUse) {
    return isTcp
      ? `port ${address.port} is in use by another program`
      : "the path is in use by another program";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  if (error instanceof Deno.errors.PermissionDenied) {
    return isTcp && address.port < 1024 ? "this user may not use ports below 1024" : "this user may not";
  }
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (error instanceof Deno.errors.NotCapable) return "sockbal was started without permission to do so";
  return reasonOf(error).toLowerCase();
}
