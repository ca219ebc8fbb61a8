/** Host names to IP addresses. Done here, once, so that the data plane dials by address and needs no resolver. */

import { lookup } from "node:dns/promises";
import { type Address, isLiteral } from "../core/address.ts";
import { RunError } from "../core/errors.ts";

/**
 * The address with its host as an IP address: the first that the system's resolver gives.
 *
 * @throws {RunError} when there is no such name.
 */
export async function resolveAddress(address: Address): Promise<Address> {
  if (address.transport === "unix" || isLiteral(address)) return address;
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
