/** One attempt to reach one backend. */

import type { Address } from "../core/address.ts";
import { reasonOf } from "../core/errors.ts";

/** A connection, or the reason why there is none, as a few plain words. */
export type DialResult =
  | { readonly conn: Deno.Conn }
  | {
    readonly failure: string;
    /** Whether it is this process that has no file descriptor left; the backend was not even asked. */
    readonly isDescriptorShortage: boolean;
  };

/**
 * Dials a backend.
 *
 * @param address By IP address, never by name: a worker may not resolve names.
 * @param signal Ends the attempt when it is aborted. A Unix socket connects or fails at once and needs none.
 */
export async function dial(address: Address, signal: AbortSignal): Promise<DialResult> {
  try {
    if (address.transport === "unix") {
      return { conn: await Deno.connect({ transport: "unix", path: address.path }) };
    }
    // There is one address to try, so nothing to race (RFC 8305) and no timer to set up for it.
    const options = { hostname: address.host, port: address.port, signal, autoSelectFamily: false };
    return { conn: await Deno.connect(options) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return {
      failure: describeFailure(error, signal),
      isDescriptorShortage: code === "EMFILE" || code === "ENFILE",
    };
  }
}

function describeFailure(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return reasonOf(signal.reason);
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  return reasonOf(error).toLowerCase();
}
