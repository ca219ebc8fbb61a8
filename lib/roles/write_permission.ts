/**
 * sockbal is started with the permission to write only because a Unix socket is a file. Whoever uses none gives the
 * permission up before anything is listened on or dialled.
 */

import type { Address } from "../core/address.ts";

/** Gives up the permission to write unless one of the addresses is a Unix socket. */
export async function giveUpWriting(addresses: readonly Address[]): Promise<void> {
  if (addresses.some((address) => address.transport === "unix")) return;
  await Deno.permissions.revoke({ name: "write" });
}
