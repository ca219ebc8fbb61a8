/** What the operator wants of backends, put into force. */

import type { Order } from "../admin/operations.ts";
import type { Backend } from "../pool/backend.ts";
import type { PoolOptions } from "../pool/pool.ts";
import type { BackendRow } from "../pool/row.ts";
import type { BackendFacts } from "../pool/scoreboard.ts";
import { formatDuration } from "../core/duration.ts";
import type { Balancer } from "./balancer.ts";

/** Means all backends of a pool. */
const ALL = "*";

export class Operator {
  readonly #balancer: Balancer;
  /** When the operator's wish was last changed, by row; milliseconds since 1970. */
  readonly #changedMs = new Map<BackendRow, number>();
  /** Ends the sessions of backends that are drained, by row. */
  readonly #deadlines = new Map<BackendRow, ReturnType<typeof setTimeout>>();

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
  }

  /**
   * Does what the operator wants, for one backend or for all of a pool.
   *
   * @param by The balancer of the fleet that was told; undefined: this one.
   * @return What was done, in one sentence; undefined when there is no such pool or backend.
   */
  steer(poolName: string, backendName: string, order: Order, by?: string): string | undefined {
    const isMeant = (it: Backend): boolean => backendName === ALL || it.name === backendName;
    const leaving = this.#balancer.plansInUse.leaving(this.#balancer.plan).pools.find((it) =>
      it.pool.name === poolName
    );
    const pool = this.#balancer.plan.pools.find((it) => it.name === poolName) ?? leaving?.pool;
    const backends = (leaving?.isGone ? [] : pool?.backends ?? []).filter(isMeant);
    // What leaves takes no new sessions in any case; those that it has can be ended.
    if (order.do === "kill") backends.push(...leaving?.backends.filter(isMeant) ?? []);
    if (pool === undefined || backends.length === 0) return undefined;
    this.#balancer.scoreboard.setManyFacts(pool.row, backends.map(({ row }) => [row, factsOf(order)]));
    for (const backend of backends) this.#obey(pool, backend, order, by);
    const whom = backendName === ALL ? `all ${backends.length} backends of ${pool.name}` : backendName;
    return describe(order, whom);
  }

  /** The backends of a pool in force that an order is for, by name. */
  meant(pool: string, backend: string): string[] {
    const { backends = [] } = this.#balancer.plan.pools.find((it) => it.name === pool) ?? {};
    return backends.map(({ name }) => name).filter((name) => backend === ALL || name === backend);
  }

  /** When the operator's wish for a backend, by its row, was last changed; undefined when it never was. */
  changedMs(row: BackendRow): number | undefined {
    return this.#changedMs.get(row);
  }

  /** Forgets all deadlines. */
  stop(): void {
    for (const timer of this.#deadlines.values()) clearTimeout(timer);
  }

  #obey(pool: PoolOptions, backend: Backend, order: Order, by: string | undefined): void {
    const { scoreboard, journal } = this.#balancer;
    const { row } = backend;
    if (order.do !== "weight" && order.do !== "kill") {
      clearTimeout(this.#deadlines.get(row));
      this.#deadlines.delete(row);
      this.#changedMs.set(row, Date.now());
    }
    const fields = { pool: pool.name, backend: backend.name, ...(by === undefined ? {} : { by }) };
    switch (order.do) {
      case "enable":
        return journal.info("backend_enabled", fields);
      case "disable":
        return journal.info("backend_disabled", fields);
      case "weight":
        return journal.info("backend_weight", { ...fields, weight: order.weight });
      case "kill":
        journal.info("backend_killed", { ...fields, sessions: scoreboard.count(row) });
        return this.#balancer.generations.endSessions(row, "killed");
      case "drain": {
        const { deadlineMs } = order;
        if (deadlineMs === undefined) return journal.info("backend_draining", fields);
        const timer = setTimeout(() => {
          // A row may belong to another backend by then, or the backend may have been removed and come back.
          const isDraining = scoreboard.facts(row).operator === "draining";
          if (isDraining && this.#balancer.plansInUse.backendAt(row)?.name === backend.name) {
            this.#balancer.generations.endSessions(row, "killed");
          }
        }, deadlineMs);
        this.#deadlines.set(row, timer);
        return journal.info("backend_draining", { ...fields, deadline_ms: deadlineMs });
      }
    }
  }
}

/** What an order changes for those who pick. */
function factsOf(order: Order): Partial<BackendFacts> {
  switch (order.do) {
    case "enable":
      return { operator: "enabled" };
    case "disable":
      return { operator: "disabled" };
    case "drain":
      return { operator: "draining" };
    case "weight":
      return { weight: order.weight };
    case "kill":
      return {};
  }
}

function describe(order: Order, whom: string): string {
  switch (order.do) {
    case "enable":
      return `${whom}: enabled`;
    case "disable":
      return `${whom}: disabled; it takes no new sessions, not even as a last resort`;
    case "kill":
      return `${whom}: sessions ended`;
    case "weight":
      return `${whom}: weight ${order.weight}`;
    case "drain": {
      const { deadlineMs } = order;
      const rest = deadlineMs === undefined ? "may finish" : `have ${formatDuration(deadlineMs)} to finish`;
      return `${whom}: draining; it takes no new sessions, and those that go on ${rest}`;
    }
  }
}
