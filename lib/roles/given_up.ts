/** Permissions that the program was started with and turns out not to need. */

import type { Touched } from "../control/touched.ts";

/**
 * Gives up the permission to write unless there is a Unix socket among what is touched, or a file to write: it was given only
 * because a Unix socket is a file, and session records may go to one. Call it before anything is listened on or dialled.
 *
 * @param isNeeded Whether there is another socket to write to, such as that of the service manager.
 */
export async function giveUpWriting(
  { listens = [], dials = [], writes = [] }: Partial<Touched>,
  isNeeded = false,
): Promise<void> {
  if (isNeeded) return;
  if (writes.length > 0 || [...listens, ...dials].some(({ transport }) => transport === "unix")) return;
  await Deno.permissions.revoke({ name: "write" });
}

/** Gives up the permission for foreign functions: only a balancer whose engine is epoll has a use for it. */
export async function giveUpForeignFunctions(): Promise<void> {
  await Deno.permissions.revoke({ name: "ffi" });
}
