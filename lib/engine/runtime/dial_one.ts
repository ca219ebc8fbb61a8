/** One attempt to reach one address, as sessions and checks make it. */

import type { Address } from "../../core/address.ts";
import { sleep } from "../../core/sleep.ts";
import { isQueueFull } from "../dial_fault.ts";

/** Between two tries at a Unix socket whose queue is full. */
const QUEUE_RETRY_MS = 20;

/**
 * Dials an IP address, never a name, until `signal` is aborted. Rejects as `Deno.connect` does.
 *
 * A full queue at the other side is waited for, as the system does it for TCP: there it sends the first packet again, while a Unix
 * socket fails at once.
 */
export function dialOne(address: Address, signal: AbortSignal): Promise<Deno.Conn> {
  if (address.transport === "unix") return dialUnix(address.path, signal);
  // There is one address to try, so nothing to race (RFC 8305) and no timer to set up for it.
  const options = { hostname: address.host, port: address.port, signal, autoSelectFamily: false };
  return Deno.connect(options);
}

async function dialUnix(path: string, signal: AbortSignal): Promise<Deno.Conn> {
  for (;;) {
    try {
      // deno-lint-ignore no-await-in-loop -- the tries follow one another
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (!isQueueFull(error) || signal.aborted) throw error;
    }
    // deno-lint-ignore no-await-in-loop -- the tries follow one another
    await sleep(QUEUE_RETRY_MS, signal);
    signal.throwIfAborted();
  }
}
