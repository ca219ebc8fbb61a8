import type { NextSource } from "../core/next_source.ts";

/**
 * Local addresses, each family in turn.
 *
 * @param start Where to begin, so that workers do not begin with the same one.
 * @return Undefined for an empty list.
 */
export function inTurn(hosts: readonly string[], start: number): NextSource | undefined {
  if (hosts.length === 0) return undefined;
  const families = [false, true].map((isIPv6) => hosts.filter((host) => host.includes(":") === isIPv6));
  const turns = [start, start];
  return (isIPv6) => {
    const family = Number(isIPv6);
    const [sources = [], turn = 0] = [families[family], turns[family]];
    if (sources.length === 0) return undefined;
    turns[family] = turn + 1;
    return sources[turn % sources.length];
  };
}
