/**
 * What no single value of `allow` and `deny` can know: whether clients have addresses, and what the other list says.
 *
 * Works on the plain document, as cross_checks.ts does.
 */

import { parseListenAddress } from "../core/address.ts";
import type { Path } from "./document.ts";
import type { PathFault } from "./findings.ts";
import { asList, parsedAddress } from "./loose.ts";
import { repeatedFaults } from "./tls_checks.ts";

/** @param path Where the listener stands. */
export function accessFaults(listener: Record<string, unknown>, path: Path): PathFault[] {
  const { allow, deny, listen, proxy_protocol } = listener;
  const isNameless = parsedAddress(listen, parseListenAddress)?.transport === "unix" &&
    proxy_protocol === undefined;
  return ["allow", "deny"].flatMap((key): PathFault[] => {
    if (isNameless && asList(listener[key]).length > 0) {
      const message = `whoever connects to a Unix socket has no IP address; leave ${key} out, ` +
        "or take the address from a PROXY header with proxy_protocol";
      return [{ path: [...path, key], message, atKey: true }];
    }
    return repeatedFaults(listener[key], [...path, key]);
  }).concat(contradictions(asList(allow), asList(deny), [...path, "allow"]));
}

/** What is denied as well is never allowed. */
function contradictions(allow: readonly unknown[], deny: readonly unknown[], path: Path): PathFault[] {
  const denied = new Set(deny);
  return allow.flatMap((it, i) => {
    if (typeof it !== "string" || !denied.has(it)) return [];
    const message = `${JSON.stringify(it)} stands in deny as well, which wins; leave one of them out`;
    return [{ path: [...path, i], message }];
  });
}
