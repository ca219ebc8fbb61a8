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
 * {@linkcode settleAddresses}. A Unix socket cannot be shared so; only one caller may listen on it. The caller closes
 * the listener.
 *
 * @param takesOver Whether a Unix socket takes the place of one that somebody listens on.
 * @throws {RunError} that says in one sentence why it cannot be done.
 */
export async function listenShared(
  address: Address,
  backlog: number,
  takesOver = false,
): Promise<Deno.Listener> {
  try {
    if (address.transport === "unix") {
      return takesOver ? await takeOverUnix(address.path) : await listenUnix(address.path);
    }
    const { host: hostname, port } = address;
    const options: SharedListenOptions = { hostname, port, tcpBacklog: backlog, loadBalanced: true };
    return Deno.listen(options);
  } catch (error) {
    throw describeListenError(address, error);
  }
}

/**
 * Addresses with nothing left open, each tried: for "all addresses" the host that means them (IPv6 with IPv4 mapped into it, or
 * IPv4 on a machine without IPv6), for port 0 a port that is free now. All are open at the same time, so that no two of
 * them, however they are written, are the same.
 *
 * @throws {RunError} that says in one sentence why one cannot be listened on.
 */
export function settleAddresses(addresses: readonly Address[]): Address[] {
  const open: Deno.TcpListener[] = [];
  try {
    return addresses.map((address) => {
      if (address.transport === "unix") return address;
      const listener = tryListening(address);
      open.push(listener);
      return { transport: "tcp", host: listener.addr.hostname, port: listener.addr.port };
    });
  } finally {
    for (const listener of open) listener.close();
  }
}

function tryListening(address: TcpAddress): Deno.TcpListener {
  const { host, port } = address;
  try {
    return Deno.listen({ hostname: host === "" ? "::" : host, port });
  } catch (error) {
    const hasNoIpv6 = host === "" && !(error instanceof Deno.errors.AddrInUse);
    if (!hasNoIpv6) throw describeListenError(address, error);
  }
  try {
    return Deno.listen({ hostname: "0.0.0.0", port });
  } catch (error) {
    throw describeListenError(address, error);
  }
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

/** Added to a path until the new socket takes the place of the old one. */
export const TAKE_OVER_SUFFIX = ".new";

/**
 * Listens on a path in place of whoever listens there, without a moment in which nobody does: the new socket is renamed
 * to the path (rename(2) is atomic), and the old listener gets no more connections.
 */
async function takeOverUnix(path: string): Promise<Deno.UnixListener> {
  const listener = await listenUnix(path + TAKE_OVER_SUFFIX);
  try {
    await Deno.rename(path + TAKE_OVER_SUFFIX, path);
    return listener;
  } catch (error) {
    listener.close();
    throw error;
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
    if (isTcp) return `port ${address.port} is in use, by another program or by another listener`;
    return "the path is in use: another program listens there, or it is no socket";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  if (error instanceof Deno.errors.PermissionDenied) {
    return isTcp && address.port < 1024 ? "this user may not use ports below 1024" : "this user may not";
  }
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (/sun_len/i.test(reasonOf(error))) return "the path is too long for a socket";
  if (error instanceof Deno.errors.NotCapable) return "sockbal was started without permission to do so";
  return reasonOf(error).toLowerCase();
}
