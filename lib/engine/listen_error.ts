import { type Address, formatAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import { whyNotListening } from "../core/listening.ts";

/**
 * Why an address cannot be listened on, as one sentence.
 *
 * @param rival What may have the port if it is in use.
 */
export function describeListenError(address: Address, error: unknown, rival?: string): RunError {
  const reason = whyNotListening(address, error, rival);
  return new RunError(`cannot listen on ${formatAddress(address)}: ${reason}`, { cause: error });
}
