/** What the events of a plan do. */

import type { Order } from "../admin/operations.ts";
import type { Config } from "../config/schema.ts";
import type { Balancer } from "../control/balancer.ts";
import { applicable } from "../control/in_force.ts";
import type { Operator } from "../control/operator.ts";
import { formatAddress } from "../core/address.ts";
import { RunError } from "../core/errors.ts";
import type { BalancerSource } from "./balancer_source.ts";
import { describeChange } from "./misbehaviour_schema.ts";
import type { NamedServer } from "./named_server.ts";
import type { PlannedEvent } from "./plan.ts";
import type { Timeline } from "./timeline.ts";

/** What runs, and is told what happens. */
export interface Stage {
  readonly servers: readonly NamedServer[];
  readonly balancer: Balancer;
  readonly operator: Operator;
  readonly timeline: Timeline;
  readonly read: (source: BalancerSource) => Promise<Config>;
}

/** @throws {RunError} when it cannot be done. */
export async function perform(event: PlannedEvent, stage: Stage): Promise<void> {
  if (event.do === "reload") return await reload(event.source, stage);
  const { servers, timeline } = stage;
  const server = servers.find(({ name }) => name === event.server);
  if (server === undefined) throw new RunError(`there is no server ${event.server}`);
  switch (event.do) {
    case "set":
      timeline.say("plan", `${server.name}: ${describeChange(event.change)}`);
      return server.set(event.change);
    case "down":
      timeline.server(server.name, false);
      return await server.down();
    case "up":
      await server.up();
      return timeline.server(server.name, true);
    case "drain":
      return steer(server, { do: "drain", deadlineMs: undefined }, stage);
    case "enable":
      return steer(server, { do: "enable" }, stage);
  }
}

async function reload(source: BalancerSource, { balancer, timeline, read }: Stage): Promise<void> {
  timeline.say("plan", source.from === "file" ? `reload ${source.file}` : "reload");
  // What the operator wants is not kept over a rehearsal.
  const { config } = applicable(await read(source), balancer.config, balancer.engine, () => false);
  const workers = await balancer.reload(config);
  timeline.say("balancer", `reloaded; workers ${workers}, generation ${balancer.generations.started}`);
}

/** The operator's order, for all backends that are the server. */
function steer({ name, address }: NamedServer, order: Order, { balancer, operator }: Stage): void {
  const backends = backendsAt(balancer, address);
  if (backends.length === 0) throw new RunError(`${name} is a backend of no pool`);
  for (const { pool, backend } of backends) operator.steer(pool, backend, order);
}

/** The name of the server that a backend is, which an event of the balancer is about. */
export function serverOf(
  { pool, backend }: Readonly<Record<string, unknown>>,
  { servers, balancer }: Stage,
): string | undefined {
  return servers.find(({ address }) => {
    return backendsAt(balancer, address).some((it) => it.pool === pool && it.backend === backend);
  })?.name;
}

/**
 * Whether a server can be picked in the pool of a listener, as far as checks and failed sessions decide it; undefined where that pool
 * does not have it.
 *
 * @param listen Where the listener accepts, as `host:port` or `unix:/path`.
 */
export function isPicked(
  listen: string,
  server: string,
  { plan, scoreboard }: Balancer,
): boolean | undefined {
  const loaded = plan.listeners.find(({ address }) => formatAddress(address) === listen)?.pool;
  const pool = plan.pools.find(({ row }) => row === loaded);
  const backends = pool?.backends.filter(({ address }) => formatAddress(address) === server) ?? [];
  if (backends.length === 0) return undefined;
  return backends.map(({ row }) => scoreboard.facts(row)).some((it) => it.isUp && !it.isEjected);
}

function backendsAt(balancer: Balancer, server: string): { pool: string; backend: string }[] {
  return balancer.plan.pools.flatMap((pool) => {
    return pool.backends.filter(({ address }) => formatAddress(address) === server)
      .map(({ name }) => ({ pool: pool.name, backend: name }));
  });
}
