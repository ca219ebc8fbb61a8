/** Which defaults a listener has: what means nothing to its transport is for the other listeners. */

import { parseListenAddress } from "../core/address.ts";
import { isMap, parsedAddress } from "./loose.ts";
import { KEYS_OF_CONNECTIONS, KEYS_OF_FLOWS } from "./udp_checks.ts";

const KEYS_OF_FILES: readonly string[] = ["mode", "group"];

/** Of the defaults of listeners those that fit one, by its address; all, where that cannot be read. */
export function fittingDefaults(
  defaults: Readonly<Record<string, unknown>>,
  listener: unknown,
): Readonly<Record<string, unknown>> {
  const transport = isMap(listener)
    ? parsedAddress(listener.listen, parseListenAddress)?.transport
    : undefined;
  if (transport === undefined) return defaults;
  const foreign = [
    ...(transport === "udp" ? KEYS_OF_CONNECTIONS : KEYS_OF_FLOWS),
    ...(transport === "unix" ? [] : KEYS_OF_FILES),
  ];
  return Object.fromEntries(Object.entries(defaults).filter(([key]) => !foreign.includes(key)));
}
