/** Who may connect to a Unix socket: the mode and the group of its file. To connect takes the permission to write (unix(7)). */

import type { Address, UnixAddress } from "./address.ts";
import { errnoOf, reasonOf } from "./errors.ts";

export interface SocketFile {
  /** Undefined: as the umask of the program has it. */
  readonly mode: number | undefined;
  /** The number of a group; undefined: that of the program. */
  readonly group: number | undefined;
}

/**
 * Where a listener is bound. A Unix socket is bound to a path of its own and then renamed: rename(2) is atomic, so every connect
 * finds a listener. Closing a listener removes the path it was bound to; after the rename, that no longer removes a newer socket.
 */
export function boundAt<Place extends Address>(address: Place): Place {
  return address.transport === "unix" ? { ...address, path: `${address.path}.new` } : address;
}

/** Where a process that takes the place of a balancer waits for its listening sockets, beside the Unix socket of its admin side. */
export function handOverAt(admin: UnixAddress): UnixAddress {
  return { ...admin, path: `${admin.path}.fds` };
}

/**
 * Sets them.
 *
 * @throws {Error} that says in a few words why it cannot be done.
 */
export function setSocketFile(path: string, { mode, group }: SocketFile): void {
  try {
    if (group !== undefined) Deno.chownSync(path, null, group);
  } catch (error) {
    const reason = errnoOf(error) === "EPERM" ? "this user is not in it" : reasonOf(error);
    throw new Error(`its file cannot be given to group ${group}: ${reason}`);
  }
  try {
    if (mode !== undefined) Deno.chmodSync(path, mode);
  } catch (error) {
    throw new Error(`the mode of its file cannot be set: ${reasonOf(error)}`);
  }
}

/** The mode and the group of the file at a path, as far as this program may see them. */
export function socketFileAt(path: string): SocketFile {
  try {
    const { mode, gid } = Deno.lstatSync(path);
    return { mode: mode === null ? undefined : mode & 0o777, group: gid ?? undefined };
  } catch {
    return { mode: undefined, group: undefined };
  }
}

/** Why what is at a path cannot be dialled; undefined for a socket, and where there is nothing, or it cannot be seen. */
export async function whyNoSocketAt(path: string): Promise<string | undefined> {
  try {
    // Not lstat: a link to a socket can be dialled.
    const { isSocket, isDirectory } = await Deno.stat(path);
    if (isDirectory) return "is a directory; name the socket in it";
    return isSocket ? undefined : "is no socket";
  } catch {
    return undefined;
  }
}

/**
 * What tells the file at a path from one that takes its place, which may have the number of one that was removed; undefined when there
 * is none.
 */
export async function fileAt(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtime } = await Deno.lstat(path);
    return `${dev}:${ino}:${birthtime?.getTime()}`;
  } catch (error) {
    // What this program may not see stays the same for it.
    return error instanceof Deno.errors.NotFound ? undefined : "hidden";
  }
}
