/** Listening sockets: bound once, then shared by every thread of the process. */

import { type Address, formatAddress, type TcpAddress, type UnixAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { isAnswered, whyNotListening } from "../core/listening.ts";

/** TCP: the option that the type definitions leave out. */
type SharedListenOptions = Deno.TcpListenOptions & { loadBalanced: true };

/**
 * Listens on an address, together with every other thread of this process that listens on it.
 *
 * For TCP each caller gets a duplicate of one listening socket (`loadBalanced`), so nothing that waits in its backlog is
 * lost as long as one of them is open. The runtime knows the sockets by the address asked for: settle it before, with
 * {@linkcode settleAddresses}. A Unix socket cannot be shared so; only one caller may listen on it. The caller closes
 * the listener.
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

/**
 * Where a Unix socket is bound until it is renamed to its path: so it takes the place of an older one without a moment in
 * which nobody listens there (rename(2) is atomic). And what the runtime removes when it closes a listener is the path
 * that it was bound to, which is not the one that a newer listener has by then.
 */
export function stepInAddress(address: UnixAddress): UnixAddress {
  return { ...address, path: `${address.path}.new` };
}

/**
 * Makes sure that a socket may take this path.
 *
 * @throws {RunError} when somebody listens there, or it is the path of something else.
 */
export async function checkSocketPath(address: UnixAddress): Promise<void> {
  if (await isAnswered(address.path)) throw describeListenError(address, new Deno.errors.AddrInUse());
}

function describeListenError(address: Address, error: unknown): RunError {
  return new RunError(`cannot listen on ${formatAddress(address)}: ${whyNotListening(address, error)}`, {
    cause: error,
  });
}
