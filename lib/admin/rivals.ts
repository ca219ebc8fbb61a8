import { parseListenAddress } from "../core/address.ts";
import type { Holder } from "../core/overlap.ts";
import type { Operations } from "./operations.ts";

/** The listeners of the balancer, one of which may have the address that the admin side wants. */
export function rivalsOf(operations: Pick<Operations, "status">): Holder[] {
  return operations.status().listeners.flatMap(({ name, address }) =>
    address.split(", ").map((text) => ({
      address: parseListenAddress(text),
      what: `listener ${JSON.stringify(name)}`,
      isStaying: true,
      isShareable: false,
    }))
  );
}
