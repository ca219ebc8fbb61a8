/** A configuration made concrete: names resolved, addresses settled, rows on the scoreboard given out. */

import type { Config } from "../config/schema.ts";
import type { Address } from "../core/address.ts";
import { settleAddresses } from "../dataplane/listen.ts";
import type { ListenerOptions } from "../dataplane/messages.ts";
import type { PoolOptions } from "../pool/pool.ts";
import type { ScoreboardShape } from "../pool/scoreboard.ts";
import { resolveAddress } from "./resolve.ts";

/** What a generation of workers runs. */
export interface Plan {
  readonly listeners: readonly ListenerOptions[];
  readonly pools: readonly PoolOptions[];
  readonly shape: ScoreboardShape;
}

/**
 * Resolves every name, settles every address and makes sure that it can be listened on.
 *
 * @throws {RunError} when a name cannot be resolved or an address cannot be listened on.
 */
export async function makePlan(config: Config, workers: number): Promise<Plan> {
  const poolNames = Object.keys(config.pools);
  const [pools, ...resolved] = await Promise.all([
    makePools(config),
    ...config.listeners.map((listener) => resolveAddress(listener.listen)),
  ]);
  const addresses = settleAddresses(resolved);
  const listeners = config.listeners.map((listener, row): ListenerOptions => ({
    row,
    name: listener.name,
    address: addresses[row] ?? listener.listen,
    pool: poolNames.indexOf(listener.pool),
    maxConnections: listener.maxConnections,
    backlog: listener.backlog,
    limits: {
      idleTimeoutMs: listener.idleTimeoutMs,
      halfCloseTimeoutMs: listener.halfCloseTimeoutMs,
      maxSessionDurationMs: listener.maxSessionDurationMs,
    },
  }));
  const backends = pools.reduce((sum, pool) => sum + pool.backends.length, 0);
  return { listeners, pools, shape: { workers, listeners: listeners.length, pools: pools.length, backends } };
}

/** Backends are numbered through all pools: the same address in two pools is two backends. */
async function makePools(config: Config): Promise<PoolOptions[]> {
  let nextRow = 0;
  return await Promise.all(
    Object.entries(config.pools).map(async ([name, pool], row): Promise<PoolOptions> => {
      const firstRow = nextRow;
      nextRow += pool.backends.length;
      return {
        row,
        name,
        algorithm: pool.algorithm,
        backends: await Promise.all(pool.backends.map(async (backend, i) => ({
          row: firstRow + i,
          name: backend.name,
          address: await resolveAddress(backend.address),
        }))),
        dialTimeoutMs: pool.dialTimeoutMs,
        retries: pool.retries,
      };
    }),
  );
}

/** Every address that a configuration names. */
export function configAddresses(config: Config): Address[] {
  return [
    ...config.listeners.map((listener) => listener.listen),
    ...Object.values(config.pools).flatMap((pool) => pool.backends.map((backend) => backend.address)),
  ];
}

/** Every address that the workers of a plan listen on or dial. */
export function planAddresses(plan: Plan): Address[] {
  return [
    ...plan.listeners.map((listener) => listener.address),
    ...plan.pools.flatMap((pool) => pool.backends.map((backend) => backend.address)),
  ];
}
