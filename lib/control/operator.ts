/** What the operator wants of backends, put into force. */

import type { Order } from "../admin/operations.ts";
import type { Backend } from "../pool/backend.ts";
import type { PoolOptions } from "../pool/pool.ts";
import { formatDuration } from "../core/duration.ts";
import type { Balancer } from "./balancer.ts";

/** Means all backends of a pool. */
const ALL = "*";

export class Operator {
  readonly #balancer: Balancer;
  /** When the operator's wish was last changed, by row; milliseconds since 1970. */
  readonly #changedMs = new Map<number, number>();
  /** Ends the sessions of backends that are drained, by row. */
  readonly #deadlines = new Map<number, ReturnType<typeof setTimeout>>();

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
  }

  /**
   * Does what the operator wants, for one backend or for all of a pool.
   *
   * @return What was done, in one sentence; undefined when there is no such pool or backend.
   */
  steer(poolName: string, backendName: string, order: Order): string | undefined {
    const pool = this.#balancer.plan.pools.find((it) => it.name === poolName);
    const backends = pool?.backends.filter((it) => backendName === ALL || it.name === backendName) ?? [];
    if (pool === undefined || backends.length === 0) return undefined;
    for (const backend of backends) this.#obey(pool, backend, order);
    this.#balancer.scoreboard.tellChanged(pool.row);
    const whom = backendName === ALL ? `all ${backends.length} backends of ${pool.name}` : backendName;
    return describe(order, whom);
  }

  /** When the operator's wish for a backend, by its row, was last changed; undefined when it never was. */
  changedMs(row: number): number | undefined {
    return this.#changedMs.get(row);
  }

  /** Forgets all deadlines. */
  stop(): void {
    for (const timer of this.#deadlines.values()) clearTimeout(timer);
  }

  /** The backend that has a row, in whatever generation. */
  #holderOf(row: number): string | undefined {
    const backends = this.#balancer.generations.flatMap(({ plan }) =>
      plan.pools.flatMap((pool) => pool.backends)
    );
    return backends.find((backend) => backend.row === row)?.name;
  }

  #obey(pool: PoolOptions, backend: Backend, order: Order): void {
    const { scoreboard, journal } = this.#balancer;
    const { row } = backend;
    if (order.do !== "weight" && order.do !== "kill") {
      clearTimeout(this.#deadlines.get(row));
      this.#deadlines.delete(row);
      this.#changedMs.set(row, Date.now());
    }
    const fields: Record<string, unknown> = { pool: pool.name, backend: backend.name };
    switch (order.do) {
      case "enable":
        scoreboard.setFacts(row, { operator: "enabled" });
        return journal.info("backend_enabled", fields);
      case "disable":
        scoreboard.setFacts(row, { operator: "disabled" });
        return journal.info("backend_disabled", fields);
      case "weight":
        scoreboard.setFacts(row, { weight: order.weight });
        return journal.info("backend_weight", { ...fields, weight: order.weight });
      case "kill":
        journal.info("backend_killed", { ...fields, sessions: scoreboard.count(row) });
        return this.#balancer.endSessions(row, "killed");
      case "drain": {
        scoreboard.setFacts(row, { operator: "draining" });
        const { deadlineMs } = order;
        if (deadlineMs === undefined) return journal.info("backend_draining", fields);
        const timer = setTimeout(() => {
          // A row may belong to another backend by then.
          if (this.#holderOf(row) === backend.name) this.#balancer.endSessions(row, "killed");
        }, deadlineMs);
        this.#deadlines.set(row, timer);
        return journal.info("backend_draining", { ...fields, deadline_ms: deadlineMs });
      }
    }
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
