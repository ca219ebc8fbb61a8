import type { Address } from "../../core/address.ts";
import { dialEach } from "./dial_each.ts";
import { dialOne } from "./dial_one.ts";
import { RuntimeSocket } from "./socket.ts";

/**
 * Dials a peer, at its other addresses too if the first does not answer. The caller closes the socket.
 *
 * @param signal Ends the attempt when it is aborted.
 * @throws What `shortageOf` and `describeDialFault` know to explain.
 */
export async function dial(
  addresses: readonly [Address, ...Address[]],
  signal: AbortSignal,
): Promise<RuntimeSocket> {
  return new RuntimeSocket(await dialEach(addresses, dialOne, signal));
}

/**
 * Dials an address whose host may be a name, which the system looks up. The caller closes the socket. Rejects as `Deno.connect`
 * does.
 */
export async function dialByName(address: Address, signal: AbortSignal): Promise<RuntimeSocket> {
  if (address.transport === "unix") return new RuntimeSocket(await dialOne(address, signal));
  const { host: hostname, port } = address;
  return new RuntimeSocket(await Deno.connect({ hostname, port, signal }));
}
