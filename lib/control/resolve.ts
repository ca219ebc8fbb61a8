/** Names to what they stand for. Done here, once, so that the data plane needs neither a resolver nor its folder. */

import { lookup } from "node:dns/promises";
import { resolve } from "node:path";
import { type Address, hasName } from "../core/address.ts";
import { RunError } from "../core/errors.ts";

/**
 * The address with its host as an IP address, the first that the system's resolver gives, or its path as an absolute one.
 *
 * @throws {RunError} when there is no such name.
 */
export async function resolveAddress(address: Address): Promise<Address> {
  if (address.transport === "unix") return { ...address, path: resolve(address.path) };
  if (!hasName(address)) return address;
  try {
    return { ...address, host: (await lookup(address.host)).address };
  } catch (error) {
    throw new RunError(`cannot resolve the name ${JSON.stringify(address.host)}: ${describe(error)}`, {
      cause: error,
    });
  }
}

function describe(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  if (code === "ENOTFOUND") return "there is no such name";
  if (code === "EAI_AGAIN") return "no name server answered";
  if (code === "EPERM") return "sockbal was started without permission to look it up";
  return code;
}
