/** What every listener has to know about addresses: whether somebody has a path, and why one cannot be listened on. */

import type { Address } from "./address.ts";
import { reasonOf } from "./errors.ts";

/** Whether somebody listens on a path. What is no socket at all counts as answered: it is not ours to remove. */
export async function isAnswered(path: string): Promise<boolean> {
  try {
    if (!(await Deno.lstat(path)).isSocket) return true;
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.NotFound);
  }
}

/**
 * Why an address cannot be listened on, in a few plain words.
 *
 * @param rival What else of this program may have the port; the admin side is no listener itself.
 */
export function whyNotListening(address: Address, error: unknown, rival = "another listener"): string {
  const isTcp = address.transport === "tcp";
  if (error instanceof Deno.errors.AddrInUse) {
    if (isTcp) return `port ${address.port} is in use, by another program or by ${rival}`;
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
