/** Listening sockets: bound once, then shared by every thread of the process. */

import type { Address, TcpAddress } from "../../core/address.ts";
import { isAnswered } from "../../core/listening.ts";
import { describeListenError } from "../listen_error.ts";

/** TCP: the option that the type definitions leave out. */
type SharedListenOptions = Deno.TcpListenOptions & { loadBalanced: true };

/**
 * Listens on an address, together with every other thread of this process that listens on it.
 *
 * For TCP each caller gets a duplicate of one listening socket (`loadBalanced`), so nothing that waits in its backlog is
 * lost as long as one of them is open. The runtime knows the sockets by the address asked for: settle it before, with
 * `settleAddresses`. A Unix socket cannot be shared so; only one caller may listen on it. The caller closes
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

/** Where {@linkcode countOpenable} listens: on a port of the system's choice, where no one looks. */
export const PROBE_ADDRESS: TcpAddress = { transport: "tcp", host: "127.0.0.1", port: 0 };

/**
 * How many descriptors can be opened now, at most `wanted`: found out with duplicates of one listening socket, ten to twenty
 * microseconds each, which are closed again. Undefined when there is no permission to try.
 */
export function countOpenable(wanted: number): number | undefined {
  const { host: hostname, port } = PROBE_ADDRESS;
  const options: SharedListenOptions = { hostname, port, tcpBacklog: 1, loadBalanced: true };
  const opened: Deno.Listener[] = [];
  try {
    while (opened.length < wanted) opened.push(Deno.listen(options));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
  } finally {
    for (const listener of opened) listener.close();
  }
  return opened.length;
}

/** Listens on a path; a stale socket file, on which no program listens, is removed. */
async function listenUnix(path: string): Promise<Deno.UnixListener> {
  try {
    return Deno.listen({ transport: "unix", path });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse) || await isAnswered(path)) throw error;
    await Deno.remove(path);
    return Deno.listen({ transport: "unix", path });
  }
}
