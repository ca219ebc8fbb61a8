/**
 * sockbal is started with the permission to write only because a Unix socket is a file, and session records may go to one.
 * Whoever uses neither gives the permission up before anything is listened on or dialled.
 */

import type { Address } from "../core/address.ts";

/** Gives up the permission to write unless one of the addresses is a Unix socket, or there is a file to write. */
export async function giveUpWriting(
  addresses: readonly Address[],
  files: readonly string[] = [],
): Promise<void> {
  if (files.length > 0 || addresses.some((address) => address.transport === "unix")) return;
  await Deno.permissions.revoke({ name: "write" });
}
