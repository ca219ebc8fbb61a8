/** What every listener has to know about addresses: whether a path is taken, and why one cannot be listened on. */

import { type Address, formatHostPort } from "./address.ts";
import { errnoOf, reasonOf } from "./errors.ts";
import { isMissingInterface, zoneOf } from "./zone.ts";

/** Whether a program listens on a path. A file that is no socket counts as answered: it is not ours to remove. */
export async function isAnswered(path: string): Promise<boolean> {
  try {
    if (!(await Deno.lstat(path)).isSocket) return true;
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.NotFound);
  }
}

/** Removes the file that a Unix socket leaves behind when it has been closed, unless another program listens there by now. */
export async function removeSocketFile(address: Address): Promise<void> {
  if (address.transport === "unix" && !await isAnswered(address.path)) await removeFile(address.path);
}

/** Removes a file that may be gone already. */
export async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch {
    // Already removed, or not permitted: nothing depends on it.
  }
}

/** Whether an address could not be listened on because it is taken. */
export function isInUse(error: unknown): boolean {
  return errnoOf(error) === "EADDRINUSE";
}

/**
 * Why an address cannot be listened on, in a few plain words.
 *
 * @param rival What may have the port if it is in use.
 */
export function whyNotListening(
  address: Address,
  error: unknown,
  rival = "another program or by another listener",
): string {
  const isPort = address.transport !== "unix";
  const code = errnoOf(error);
  if (code === "EADDRINUSE") {
    const kind = address.transport === "udp" ? "UDP port" : "port";
    if (isPort) return `${kind} ${address.port} is in use, by ${rival}`;
    return "the path is in use: another program listens there, or it is no socket";
  }
  const zone = isPort ? zoneOf(address.host) : undefined;
  if (zone !== undefined && (isMissingInterface(error))) {
    return `this machine has no network interface ${JSON.stringify(zone)}`;
  }
  // Node's server says of a foreign address, and of a long path, that an argument is invalid.
  if (code === "EADDRNOTAVAIL" || (code === "EINVAL" && isPort)) return "this machine has no such address";
  if (code === "EACCES" || code === "EPERM") {
    return isPort && address.port < 1024 ? "this user may not use ports below 1024" : "this user may not";
  }
  if (code === "ENOENT") return "there is no such folder";
  if (code === "EINVAL") return "the path is too long for a socket";
  if (error instanceof Deno.errors.NotCapable) {
    const needed = isPort
      ? `--allow-net=${formatHostPort(address.host, address.port)}`
      : "--allow-read and --allow-write";
    return `sockbal was started without permission to do so (${needed})`;
  }
  return reasonOf(error).toLowerCase();
}
