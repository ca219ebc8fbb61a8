/** A configuration made concrete: names resolved, addresses settled, rows on the scoreboard given out. */

import type { Config } from "../config/schema.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { settleAddresses } from "../dataplane/listen.ts";
import type { ListenerOptions } from "../dataplane/messages.ts";
import type { Backend } from "../pool/backend.ts";
import type { PoolOptions } from "../pool/pool.ts";
import { QUEUE_CELLS } from "../pool/queue.ts";
import { rowsFor } from "../pool/scoreboard.ts";
import { resolveAddress } from "./resolve.ts";
import type { RowBook, RowKey } from "./rows.ts";

/** What a generation of workers runs. */
export interface Plan {
  readonly listeners: readonly ListenerOptions[];
  readonly pools: readonly PoolOptions[];
  /** What it uses of the scoreboard; to be dropped when the generation has ended. */
  readonly rows: readonly RowKey[];
  /** Where each listener of the configuration listens: `:0` and names made concrete, by {@linkcode listenKey}. */
  readonly settled: ReadonlyMap<string, Address>;
}

/**
 * Resolves every name, settles every address that is not settled yet and makes sure that it can be listened on.
 *
 * @param settled What a running generation listens on already.
 * @throws {RunError} when a name cannot be resolved or an address cannot be listened on; then no row is used.
 */
export async function makePlan(
  config: Config,
  rows: RowBook,
  settled: ReadonlyMap<string, Address> = new Map(),
): Promise<Plan> {
  const known = new Map(
    [...settled].flatMap(([key, address]) => [[key, address], [formatAddress(address), address]] as const),
  );
  const fresh = config.listeners.filter((listener) => !known.has(listenKey(listener)));
  const [backendAddresses, ...resolved] = await Promise.all([
    resolveBackends(config),
    ...fresh.map((listener) => resolveAddress(listener.listen)),
  ]);
  const found = settleAddresses(resolved);
  fresh.forEach((listener, i) => known.set(listenKey(listener), found[i] ?? listener.listen));
  const all = new Map(config.listeners.map((listener) => {
    return [listenKey(listener), known.get(listenKey(listener)) ?? listener.listen];
  }));
  return layOut(config, rows, all, backendAddresses);
}

/** What was written, which means the same address wherever it stands; but every port 0 is another port. */
function listenKey({ name, listen }: Config["listeners"][number]): string {
  const written = formatAddress(listen);
  return listen.transport === "tcp" && listen.port === 0 ? `${name} ${written}` : written;
}

/** Gives out the rows. A backend keeps its own for as long as its pool and it keep their names. */
function layOut(
  config: Config,
  rows: RowBook,
  settled: ReadonlyMap<string, Address>,
  backendAddresses: readonly (readonly Address[])[],
): Plan {
  const used: RowKey[] = [];
  const use = (key: RowKey, count = 1): number => {
    const row = rows.use(key, count);
    used.push(key);
    return row;
  };
  const poolNames = Object.keys(config.pools);
  try {
    const pools = Object.entries(config.pools).map(([name, pool], at): PoolOptions => ({
      row: use(`pool ${name}`),
      name,
      algorithm: pool.algorithm,
      hashKey: pool.hashKey,
      backends: pool.backends.map((backend, i): Backend => ({
        row: use(backendKey(name, backend.name)),
        name: backend.name,
        address: backendAddresses[at]?.[i] ?? backend.address,
        isBackup: backend.backup,
      })),
      dialTimeoutMs: pool.dialTimeoutMs,
      retries: pool.retries,
      whenAllDown: pool.whenAllDown,
      queue: pool.queue.size === 0
        ? undefined
        : { row: use(`queue ${name}`, rowsFor(QUEUE_CELLS)), ...pool.queue },
      consecutiveFailures: pool.outlierDetection.consecutiveFailures,
    }));
    const listeners = config.listeners.map((listener): ListenerOptions => ({
      row: use(`listener ${listener.name}`),
      sessionsRow: use(`sessions ${listener.name}`),
      name: listener.name,
      address: settled.get(listenKey(listener)) ?? listener.listen,
      pool: poolNames.indexOf(listener.pool),
      maxConnections: listener.maxConnections,
      backlog: listener.backlog,
      limits: {
        idleTimeoutMs: listener.idleTimeoutMs,
        halfCloseTimeoutMs: listener.halfCloseTimeoutMs,
        maxSessionDurationMs: listener.maxSessionDurationMs,
      },
    }));
    return { listeners, pools, rows: used, settled };
  } catch (error) {
    rows.drop(used);
    throw error;
  }
}

export function backendKey(pool: string, backend: string): RowKey {
  return `backend ${pool} ${backend}`;
}

function resolveBackends(config: Config): Promise<Address[][]> {
  return Promise.all(
    Object.values(config.pools).map((pool) => {
      return Promise.all(pool.backends.map((backend) => resolveAddress(backend.address)));
    }),
  );
}

/** Everything of a plan that workers cannot be told while they work: where it differs, new ones are needed. */
export function structureOf({ listeners, pools }: Plan): string {
  const fixed = pools.map((
    { dialTimeoutMs: _1, retries: _2, whenAllDown: _3, consecutiveFailures: _4, ...rest },
  ) => rest);
  return JSON.stringify([listeners, fixed]);
}

/** Every address that a configuration names. */
export function configAddresses(config: Config): Address[] {
  return [
    ...config.listeners.map((listener) => listener.listen),
    ...Object.values(config.pools).flatMap((pool) => pool.backends.map((backend) => backend.address)),
  ];
}

/** Where backends are checked, if that is not where they are dialled. */
export function checkAddresses(config: Config): Address[] {
  return Object.values(config.pools).flatMap(({ healthCheck, backends }) => {
    const port = healthCheck?.port;
    if (port === undefined) return [];
    return backends.flatMap(({ address }) => address.transport === "tcp" ? [{ ...address, port }] : []);
  });
}

/** Every address that the workers of a plan listen on or dial. */
export function planAddresses(plan: Plan): Address[] {
  return [
    ...plan.listeners.map((listener) => listener.address),
    ...plan.pools.flatMap((pool) => pool.backends.map((backend) => backend.address)),
  ];
}

/** The rows whose counts the workers of a plan hold, by what they count. */
export function heldRows(plan: Plan): { readonly sessions: number[]; readonly others: number[] } {
  return {
    sessions: plan.pools.flatMap((pool) => pool.backends.map((backend) => backend.row)),
    others: [
      ...plan.listeners.flatMap((listener) => [listener.row, listener.sessionsRow]),
      ...plan.pools.flatMap((pool) => pool.queue === undefined ? [pool.row] : [pool.row, pool.queue.row]),
    ],
  };
}
