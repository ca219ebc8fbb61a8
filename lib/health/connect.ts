/** The connection of a check. */

import type { Address } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";

/** Dials until `signal` is aborted; a Unix socket connects or fails at once. Rejects as `Deno.connect` does. */
export function connect(address: Address, signal: AbortSignal): Promise<Deno.Conn> {
  if (address.transport === "unix") return Deno.connect({ transport: "unix", path: address.path });
  // There is one address to try, so nothing to race (RFC 8305).
  return Deno.connect({ hostname: address.host, port: address.port, signal, autoSelectFamily: false });
}

/** Whether it is this process that has no file descriptor left; the backend was not even asked. */
export function isDescriptorShortage(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EMFILE" || code === "ENFILE";
}

/** Why a connection failed or broke, in the operating system's words without its numbers. */
export function describeFailure(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  return reasonOf(error).toLowerCase();
}
