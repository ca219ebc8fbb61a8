/** Backends that are this balancer itself: each session would come back to it, and back again. */

import { absolute, arrivesAt } from "./overlaps.ts";
import type { PathFault } from "./findings.ts";
import { asUdp } from "../core/address.ts";
import { poolsOf, udpPools } from "./listener_schema.ts";
import type { CheckedConfig } from "./schema.ts";

type Backend = CheckedConfig["pools"][string]["backends"][number];

/**
 * A note at each backend from which sessions come back to its own pool.
 *
 * @param folder What relative paths are relative to.
 */
export function loopNotes(
  { listeners, pools }: Pick<CheckedConfig, "listeners" | "pools">,
  folder: string,
): PathFault[] {
  const overUdp = udpPools(listeners);
  /** The listeners that a backend of a pool is. */
  const listenersAt = (pool: string, { address }: Backend): typeof listeners => {
    const dialled = address.transport !== "unix" && overUdp.has(pool) ? asUdp(address) : address;
    return listeners.filter(({ listen }) => arrivesAt(absolute(dialled, folder), absolute(listen, folder)));
  };
  const comesTo = (pool: string, target: string, seen: Set<string>): boolean => {
    if (pool === target) return true;
    if (seen.has(pool)) return false;
    seen.add(pool);
    return (pools[pool]?.backends ?? []).some((backend) => {
      return listenersAt(pool, backend).some((listener) =>
        poolsOf(listener).some((it) => comesTo(it, target, seen))
      );
    });
  };
  return Object.entries(pools).flatMap(([name, { backends }]) =>
    backends.flatMap((backend, i) => {
      const listener = listenersAt(name, backend).find((it) => {
        return poolsOf(it).some((pool) => comesTo(pool, name, new Set()));
      });
      if (listener === undefined) return [];
      const message = poolsOf(listener).includes(name)
        ? `this backend is the listener ${listener.name} itself; each of its sessions would come back, without end`
        : `this backend is the listener ${listener.name}, from where sessions come back to this pool, without end`;
      return [{ path: ["pools", name, "backends", i], message }];
    })
  );
}
