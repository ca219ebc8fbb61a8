/** Which clients of a listener are let in, by where they come from. */

import type { Endpoint } from "../core/endpoint.ts";
import { ipMatcher } from "../core/ip_matcher.ts";
import type { IPRange } from "../core/ip_range.ts";

/** As a worker is told. */
export interface AccessLists {
  /** Whose clients are let in; empty: everyone's. */
  readonly allow: readonly IPRange[];
  /** Whose are not, also where they are allowed. */
  readonly deny: readonly IPRange[];
}

/** Tells whether a client is let in. One without an IP address is in no range: it is let in where everyone is. */
export function accessCheck({ allow, deny }: AccessLists): (source: Endpoint) => boolean {
  const [isAllowed, isDenied] = [ipMatcher(allow), ipMatcher(deny)];
  const isOpen = allow.length === 0;
  return (source) => {
    if (source.transport === "unix") return isOpen;
    return (isOpen || isAllowed(source.host)) && !isDenied(source.host);
  };
}
