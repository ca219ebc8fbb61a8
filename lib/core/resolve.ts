/** What an address of the configuration stands for. Found out here, so that the data plane needs neither a resolver nor its folder. */

import { resolve } from "node:path";
import { type Address, hasName } from "./address.ts";
import { lookUpWithin } from "./lookup.ts";

/** Without its address a listener cannot start, so its name gets more time than that of one backend among many. */
const LISTENER_LOOKUP_MS = 10_000;

/**
 * The address with its host as an IP address, the first that the system's resolver gives, or its path as an absolute one.
 *
 * @throws {RunError} when there is no such name.
 */
export async function resolveAddress(address: Address): Promise<Address> {
  const [first = address] = await resolveAll(address);
  return first;
}

/** As {@linkcode resolveAddress}, with all addresses of a name. */
export async function resolveAll(address: Address): Promise<Address[]> {
  if (address.transport === "unix") return [{ ...address, path: resolve(address.path) }];
  if (!hasName(address)) return [address];
  const hosts = await lookUpWithin(address.host, LISTENER_LOOKUP_MS);
  return hosts.map((host) => ({ ...address, host }));
}
