/**
 * sockbal is started with the permission to write only because a Unix socket is a file, and session records may go to one.
 * Where there is neither, it is given up before anything is listened on or dialled.
 */

import type { Touched } from "../control/touched.ts";

/** Gives up the permission to write unless there is a Unix socket among what is touched, or a file to write. */
export async function giveUpWriting(
  { listens = [], dials = [], writes = [] }: Partial<Touched>,
): Promise<void> {
  if (writes.length > 0 || [...listens, ...dials].some(({ transport }) => transport === "unix")) return;
  await Deno.permissions.revoke({ name: "write" });
}
