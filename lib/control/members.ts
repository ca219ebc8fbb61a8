/** The members of pools: those of the configuration, those that are discovered, and those that the operator has added. Pure. */

import type { BackendConfig, PoolConfig } from "../config/pool_schema.ts";
import { udpPools } from "../config/listener_schema.ts";
import type { Config } from "../config/schema.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { MAX_MEMBERS } from "../core/member_limit.ts";
import { formatSubnet, isWithin } from "../core/subnet.ts";

/** Where a backend comes from. */
export type Origin = "file" | "discovered" | "operator";

export interface Sources {
  /** The discovered members of a pool. */
  readonly discovered: (pool: string) => readonly BackendConfig[];
  /** Those that the operator has added to a pool, or has changed. */
  readonly added: (pool: string) => readonly BackendConfig[];
  /** Why an address may not be dialled for a pool, in a few words; undefined when it may. */
  readonly whyNotDialled: (address: Address, pool: PoolConfig) => string | undefined;
}

/** A configuration with all of its members. */
export interface Joined {
  readonly config: Config;
  /** All members, by pool and name. */
  readonly members: ReadonlyMap<string, ReadonlyMap<string, BackendConfig>>;
  /** Of those that are not from the file. */
  readonly origins: ReadonlyMap<string, ReadonlyMap<string, Origin>>;
  /** Members that were left out, and why, by pool: a sentence each. */
  readonly refused: ReadonlyMap<string, readonly string[]>;
}

/** The written members come first, in their order, then the discovered ones by name, then those that the operator has added. */
export function joinMembers(written: Config, sources: Sources): Joined {
  const overUdp = udpPools(written.listeners);
  const pools = Object.entries(written.pools).map(([name, pool]) =>
    [name, joinPool(name, pool, sources, overUdp.has(name))] as const
  );
  const hasMore = pools.some(([name, { pool }]) => pool !== written.pools[name]);
  return {
    config: hasMore
      ? { ...written, pools: Object.fromEntries(pools.map(([name, { pool }]) => [name, pool])) }
      : written,
    members: new Map(
      pools.map(([name, { pool }]) => [name, new Map(pool.backends.map((it) => [it.name, it]))]),
    ),
    origins: new Map(pools.map(([name, { origins }]) => [name, origins])),
    refused: new Map(pools.map(([name, { refused }]) => [name, refused])),
  };
}

interface JoinedPool {
  readonly pool: PoolConfig;
  readonly origins: Map<string, Origin>;
  readonly refused: string[];
}

function joinPool(name: string, pool: PoolConfig, sources: Sources, isUdp: boolean): JoinedPool {
  const added = sources.added(name);
  const discovered = pool.discover === undefined ? [] : sources.discovered(name);
  const origins = new Map<string, Origin>();
  const refused: string[] = [];
  if (added.length + discovered.length === 0) return { pool, origins, refused };
  const changes = new Map(added.map((it) => [it.name, it]));
  const members = new Map<string, BackendConfig>();
  const addresses = new Set<string>();
  const take = (member: BackendConfig, origin: Origin): void => {
    const address = formatAddress(member.address);
    const why = members.has(member.name)
      ? "there is another one of this name"
      : addresses.has(address)
      ? `${address} is another one's address`
      : origin === "file"
      ? undefined
      : isUdp && member.address.transport === "unix"
      ? "a Unix socket takes connections, and this pool has the datagrams of a listener; write host:port"
      : members.size >= MAX_MEMBERS
      ? `the pool has ${MAX_MEMBERS} members without it, which is as many as it may have`
      : whyOutside(member.address, pool) ?? sources.whyNotDialled(member.address, pool);
    if (why !== undefined) {
      refused.push(`${member.name}: ${why}`);
      return;
    }
    members.set(member.name, member);
    addresses.add(address);
    if (origin !== "file") origins.set(member.name, origin);
  };
  for (const member of pool.backends) {
    const change = changes.get(member.name);
    take(change ?? member, change === undefined ? "file" : "operator");
    changes.delete(member.name);
  }
  for (const member of discovered) {
    const change = changes.get(member.name);
    take(change ?? member, change === undefined ? "discovered" : "operator");
    changes.delete(member.name);
  }
  for (const member of changes.values()) take(member, "operator");
  return { pool: { ...pool, backends: [...members.values()] }, origins, refused };
}

/** What is said of members by others than the file stays within the subnets, where there are any. */
function whyOutside(address: Address, { within }: PoolConfig): string | undefined {
  if (within.length === 0 || within.some((subnet) => isWithin(address, subnet))) return undefined;
  return `${formatAddress(address)} is not within ${within.map(formatSubnet).join(", ")}`;
}
