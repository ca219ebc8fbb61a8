/** One attempt to reach one backend. */

import type { Address } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";

/**
 * Dials a backend.
 *
 * @param address By IP address, never by name: a worker may not resolve names.
 * @param signal Ends the attempt when it is aborted. A Unix socket connects or fails at once and needs none.
 */
export function dial(address: Address, signal: AbortSignal): Promise<Deno.Conn> {
  if (address.transport === "unix") return Deno.connect({ transport: "unix", path: address.path });
  // There is one address to try, so nothing to race (RFC 8305) and no timer to set up for it.
  const options = { hostname: address.host, port: address.port, signal, autoSelectFamily: false };
  return Deno.connect(options);
}

/** Why a dial failed, in a few plain words; `signal` is the one that it was given. */
export function describeFailure(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return reasonOf(signal.reason);
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  return reasonOf(error).toLowerCase();
}
