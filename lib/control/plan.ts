/** A configuration made concrete: addresses settled, rows on the scoreboard given out. */

import { resolve } from "node:path";
import { udpPools } from "../config/listener_schema.ts";
import type { BackendConfig } from "../config/pool_schema.ts";
import type { Config } from "../config/schema.ts";
import { type Address, asUdp, formatAddress, hasName, type IpAddress } from "../core/address.ts";
import type { Subnet } from "../core/subnet.ts";
import { type ListenerOptions, socketsOf } from "../dataplane/messages.ts";
import { addressesOf, type Backend } from "../pool/backend.ts";
import type { PoolOptions } from "../pool/pool.ts";
import { QUEUE_CELLS } from "../pool/queue.ts";
import type { PoolRow, Row } from "../pool/row.ts";
import { rowsFor } from "../pool/scoreboard.ts";
import { groupNumber } from "../core/groups.ts";
import { clientsOfSettled } from "./clients.ts";
import type { Given } from "./given_sockets.ts";
import type { Names } from "./names.ts";
import type { Permitted } from "./permissions.ts";
import type { PortHold } from "./port_hold.ts";
import type { RowBook, RowKey } from "./rows.ts";
import { greetingOf, introductionOf, tlsToBackends } from "./greetings.ts";
import { listenKey, settleListeners } from "./settled_listeners.ts";
import { boundAt } from "../core/socket_file.ts";

/** What a generation of workers runs. */
export interface Plan {
  readonly listeners: readonly ListenerOptions[];
  readonly pools: readonly PoolOptions[];
  /** What its workers may dial besides the addresses of its backends. */
  readonly within: readonly Subnet[];
  /** What it uses of the scoreboard; to be dropped when it is no longer in use. */
  readonly rows: readonly RowKey[];
  /** Where each listener of the configuration listens: `:0` and names made concrete, by {@linkcode listenKey}. */
  readonly settled: ReadonlyMap<string, readonly Address[]>;
}

/** That of a balancer that has not been started. */
export const NO_PLAN: Plan = { listeners: [], pools: [], within: [], rows: [], settled: new Map() };

/** What runs already. */
export interface Running {
  /** Listeners for datagrams of older plans, whose flows are not all over. */
  readonly lingering?: readonly ListenerOptions[];
  readonly plan: Plan;
  readonly config: Config;
}

/**
 * Settles every address that is not settled yet and makes sure that it can be listened on. The names of backends are as
 * they are known by now: a backend whose name is not resolved is in the plan, but cannot be dialled.
 *
 * @param running What it takes the place of.
 * @param ports Holds the ports that the system chose; the caller releases them.
 * @param given Sockets that listeners of the same addresses will have; for the first plan.
 * @throws {RunError} when the name of a listener cannot be resolved or an address cannot be listened on; then no row is used.
 */
export async function makePlan(
  config: Config,
  rows: RowBook,
  names: Pick<Names, "of">,
  running?: Running,
  ports?: PortHold,
  given?: Given,
): Promise<Plan> {
  const settled = await settleListeners(config, running, ports, given);
  const groups = await groupNumbers(config);
  return layOut(config, rows, settled, names, groups);
}

/** Gives out the rows. A backend keeps its own for as long as its pool and it keep their names. */
function layOut(
  config: Config,
  rows: RowBook,
  settled: ReadonlyMap<string, readonly Address[]>,
  names: Pick<Names, "of">,
  groups: ReadonlyMap<string, number>,
): Plan {
  const used: RowKey[] = [];
  const use = <Kind extends string>(key: RowKey<Kind>, count = 1): Row<Kind> => {
    const row = rows.use(key, count);
    used.push(key);
    return row;
  };
  const overUdp = udpPools(config.listeners);
  try {
    const pools = Object.entries(config.pools).map(([name, pool]): PoolOptions => ({
      row: use({ kind: "pool", name }),
      name,
      algorithm: pool.algorithm,
      hashKey: pool.hashKey,
      backends: pool.backends.map((backend): Backend => ({
        row: use(backendKey(name, backend.name)),
        name: backend.name,
        ...placeOf({ ...backend, address: dialledAt(backend.address, overUdp.has(name)) }, names),
        isBackup: backend.backup,
      })),
      tuning: {
        dialTimeoutMs: pool.dialTimeoutMs,
        retries: pool.retries,
        sources: pool.source,
        whenAllDown: pool.whenAllDown,
        consecutiveFailures: pool.outlierDetection.consecutiveFailures,
      },
      queue: pool.queue.size === 0
        ? undefined
        : { row: use({ kind: "queue", name }, rowsFor(QUEUE_CELLS)), ...pool.queue },
      ...introductionOf(pool),
      ...(pool.tls === undefined ? {} : { tls: tlsToBackends(pool.tls) }),
    }));
    const poolRows = new Map(pools.map((pool) => [pool.name, pool.row]));
    const listeners = config.listeners.map((listener): ListenerOptions => ({
      ...socketsFrom(settled.get(listenKey(listener)) ?? [listener.listen]),
      row: use({ kind: "listener", name: listener.name }),
      sessionsRow: use({ kind: "sessions", name: listener.name }),
      name: listener.name,
      pool: listener.pool === undefined ? undefined : rowOf(listener.pool, poolRows),
      ...greetingOf(listener, config, (pool) => rowOf(pool, poolRows)),
      ...(listener.flows === undefined ? {} : { flows: listener.flows }),
      maxConnections: listener.maxConnections,
      backlog: listener.backlog,
      ...fileOf(listener, groups),
      keepalive: listener.keepalive,
      ...rateLimitOf(listener),
      limits: {
        idleTimeoutMs: listener.idleTimeoutMs,
        halfCloseTimeoutMs: listener.halfCloseTimeoutMs,
        maxSessionDurationMs: listener.maxSessionDurationMs,
      },
    }));
    const within = Object.values(config.pools).flatMap((pool) => pool.within);
    return { listeners, pools, within, rows: used, settled };
  } catch (error) {
    rows.drop(used);
    throw error;
  }
}

/** The numbers of the groups that are written by name. */
async function groupNumbers({ listeners }: Config): Promise<Map<string, number>> {
  const names = new Set(listeners.flatMap(({ group }) => typeof group === "string" ? [group] : []));
  return new Map(await Promise.all([...names].map(async (name) => [name, await groupNumber(name)] as const)));
}

function fileOf(
  { mode, group }: Config["listeners"][number],
  groups: ReadonlyMap<string, number>,
): Pick<ListenerOptions, "file"> {
  if (mode === undefined && group === undefined) return {};
  return { file: { mode, group: typeof group === "string" ? groups.get(group) : group } };
}

function rateLimitOf({ rateLimit }: Config["listeners"][number]): Pick<ListenerOptions, "rateLimit"> {
  return Object.values(rateLimit).every((it) => it === 0) ? {} : { rateLimit };
}

/** Names have no spaces. */
export function backendKey(pool: string, backend: string): RowKey<"backend"> {
  return { kind: "backend", name: `${pool} ${backend}` };
}

/** A configuration was checked: its listeners name pools that it has. */
function rowOf(pool: string, rows: ReadonlyMap<string, PoolRow>): PoolRow {
  const row = rows.get(pool);
  if (row === undefined) throw new RangeError(`Cannot lay out a listener: there is no pool ${pool}`);
  return row;
}

/** Whether a backend is dialled over UDP is decided by the listeners of its pool. */
function dialledAt(address: Address, isUdp: boolean): Address {
  return isUdp && address.transport !== "unix" ? asUdp(address) : address;
}

/** Where a backend is dialled. */
function placeOf(
  { address, host: foundUnder }: BackendConfig,
  names: Pick<Names, "of">,
): Pick<Backend, "address" | "host" | "otherAddresses" | "unresolved"> {
  if (address.transport === "unix") return { address: { ...address, path: resolve(address.path) } };
  if (!hasName(address)) return foundUnder === undefined ? { address } : { address, host: foundUnder };
  const resolved = names.of(address);
  if ("reason" in resolved) return { address, unresolved: resolved.reason };
  const [first = address, ...others] = resolved.addresses;
  const { host } = address;
  return others.length === 0 ? { address: first, host } : { address: first, host, otherAddresses: others };
}

function socketsFrom(
  [address, ...alsoAt]: readonly Address[],
): Pick<ListenerOptions, "address" | "alsoAt"> {
  if (address === undefined) throw new RangeError("Cannot lay out a listener: it has no address");
  return alsoAt.length === 0 ? { address } : { address, alsoAt };
}

/** The addresses of backends that are names. */
export function backendNames(config: Config): IpAddress[] {
  return Object.values(config.pools)
    .flatMap((pool) => pool.backends.map(({ address }): Address => address)).filter(hasName);
}

/** The backends of a plan whose names are not resolved. */
export function unresolvedOf(plan: Plan): { pool: string; backend: Backend }[] {
  return plan.pools.flatMap(({ name, backends }) => {
    return backends.flatMap((it) => it.unresolved === undefined ? [] : [{ pool: name, backend: it }]);
  });
}

/**
 * What the workers of a plan listen on and may dial.
 *
 * @param permitsSubnets Whether they may be permitted a subnet; see EngineHost.
 */
export function permittedBy({ listeners, pools, within }: Plan, permitsSubnets: boolean): Permitted {
  const hasUdp = listeners.some(({ flows }) => flows !== undefined);
  const hasOthers = listeners.some(({ flows }) => flows === undefined);
  return {
    listens: listeners.flatMap(socketsOf).map(boundAt),
    dials: pools.flatMap((pool) => pool.backends.flatMap(addressesOf))
      .filter(({ transport }) => transport === "udp" ? hasUdp : hasOthers),
    subnets: permitsSubnets ? within : [],
    ...(hasUdp ? { clients: permitsSubnets ? clientsOfSettled(listeners) : "anyone" } : {}),
    mayBind: hasSources(pools),
    // Those that come within the subnets are dialled from there, also where no backend is known yet.
    sendsDatagrams: hasUdp && permitsSubnets && within.length > 0,
  };
}

/** Whether a pool chooses where its dials come from. */
export function hasSources(pools: Plan["pools"]): boolean {
  return pools.some(({ tuning }) => tuning.sources.length > 0);
}

/** What is said of each address that is listened on. */
export function listeningRecords({ listeners }: Plan, config: Config): Record<string, unknown>[] {
  return config.listeners.flatMap(({ name, pool }, i) => {
    const sockets = listeners[i] === undefined ? [] : socketsOf(listeners[i]);
    return sockets.map((address) => ({ address: formatAddress(address), listener: name, pool }));
  });
}
