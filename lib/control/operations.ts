/** A running balancer as the admin side sees it. */

import type {
  BackendStatus,
  Change,
  Counts,
  ListenerStatus,
  Operations,
  Order,
  PoolStatus,
  Reloaded,
  SessionStatus,
  Status,
  Summary,
} from "../admin/operations.ts";
import { formatAddress } from "../core/address.ts";
import type { RunningLog } from "../core/log.ts";
import { availableOf, stateOf } from "../pool/availability.ts";
import type { Backend } from "../pool/backend.ts";
import type { PoolOptions } from "../pool/pool.ts";
import process from "node:process";
import type { Balancer } from "./balancer.ts";
import { Operator } from "./operator.ts";
import { shownConfig } from "./shown_config.ts";
import type { Sums } from "./totals.ts";
import { Watch } from "./watch.ts";

export interface OperationsOptions {
  readonly balancer: Balancer;
  readonly version: string;
  /** Where the configuration came from. */
  readonly config: string;
  readonly log: Pick<RunningLog, "dropped">;
  /** Reads the configuration again and puts it into force. */
  readonly reload: () => Promise<Reloaded>;
}

export class BalancerOperations implements Operations {
  readonly #options: OperationsOptions;
  readonly #balancer: Balancer;
  readonly #watch: Watch;
  readonly #operator: Operator;
  readonly #startedMs = Date.now();
  readonly #reloads = { ok: 0, failed: 0 };

  /** Begins to watch; {@linkcode stop} ends that. */
  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#balancer = options.balancer;
    this.#watch = new Watch(options.balancer);
    this.#operator = new Operator(options.balancer);
  }

  stop(): void {
    this.#watch.stop();
    this.#operator.stop();
  }

  status(): Status {
    const { generations, generationNumber, plan } = this.#balancer;
    const sums = [...this.#balancer.totals.sums()];
    const pools = plan.pools.map((pool) => this.#poolStatus(pool, sums));
    return {
      version: this.#options.version,
      started_at: new Date(this.#startedMs).toISOString(),
      uptime_s: Math.floor((Date.now() - this.#startedMs) / 1_000),
      now: new Date().toISOString(),
      generation: generationNumber,
      config: this.#options.config,
      ready: pools.every((pool) => pool.available > 0),
      workers: generations.flatMap((generation) => {
        return generation.lags().map(({ id, lagMs }) => {
          return { id, generation: generation.number, lag_ms: Math.round(lagMs) };
        });
      }),
      process: {
        memory_bytes: Deno.memoryUsage().rss,
        cpu_seconds: cpuSeconds(),
        open_files: null,
      },
      log_records_dropped: this.#options.log.dropped,
      listeners: this.#listenerStatuses(sums),
      pools,
    };
  }

  counts(): Counts {
    const { plan, health, totals, scoreboard } = this.#balancer;
    return {
      totals: totals.totals(),
      backends: plan.pools.flatMap((pool) =>
        pool.backends.map(({ name, row }) => {
          const known = health.of(row);
          return {
            pool: pool.name,
            backend: name,
            checks_ok: known?.checks.ok ?? 0,
            checks_failed: known?.checks.failed ?? 0,
            ejections: known?.ejections ?? 0,
            state_changes: scoreboard.stateChanges(row),
          };
        })
      ),
      reloads_ok: this.#reloads.ok,
      reloads_failed: this.#reloads.failed,
    };
  }

  async sessions(limit: number): Promise<readonly SessionStatus[]> {
    return await this.#balancer.sessions(limit);
  }

  config(): unknown {
    return shownConfig(this.#balancer.config);
  }

  history(): readonly Summary[] {
    return this.#watch.history;
  }

  changes(): readonly Change[] {
    return this.#balancer.journal.recent;
  }

  subscribe(hear: (news: { summary: Summary } | { change: Change }) => void): () => void {
    const ends = [
      this.#watch.subscribe((summary) => hear({ summary })),
      this.#balancer.journal.subscribe((change) => hear({ change })),
    ];
    return () => ends.forEach((end) => end());
  }

  steer(pool: string, backend: string, order: Order): string | undefined {
    return this.#operator.steer(pool, backend, order);
  }

  async reload(): Promise<Reloaded> {
    const reloaded = await this.#options.reload();
    this.#reloads[reloaded.ok ? "ok" : "failed"]++;
    return reloaded;
  }

  #listenerStatuses(sums: readonly Sums[]): ListenerStatus[] {
    const { plan, scoreboard } = this.#balancer;
    return plan.listeners.map(({ name, address, pool, maxConnections, sessionsRow }) => {
      const own = sums.filter((it) => it.listener === name);
      return {
        name,
        address: formatAddress(address),
        pool: plan.pools[pool]?.name ?? "",
        active: scoreboard.count(sessionsRow),
        max_connections: maxConnections,
        sessions_total: total(own, "sessions"),
        bytes_in: total(own, "bytesIn"),
        bytes_out: total(own, "bytesOut"),
      };
    });
  }

  #poolStatus(pool: PoolOptions, sums: readonly Sums[]): PoolStatus {
    const { scoreboard } = this.#balancer;
    const known = pool.backends.map(({ row, isBackup }) => ({ facts: scoreboard.facts(row), isBackup }));
    const { primaries, backups } = availableOf(known, pool.whenAllDown);
    const byBackend = Map.groupBy(sums.filter((it) => it.pool === pool.name), (it) => it.backend);
    return {
      name: pool.name,
      algorithm: pool.algorithm,
      queued: scoreboard.count(pool.row),
      queue_size: pool.queue?.size ?? 0,
      available: primaries.length + backups.length,
      backends: pool.backends.map((backend) => {
        return this.#backendStatus(pool, backend, byBackend.get(backend.name) ?? []);
      }),
    };
  }

  #backendStatus(pool: PoolOptions, backend: Backend, sums: readonly Sums[]): BackendStatus {
    const { scoreboard, health } = this.#balancer;
    const { name, row, address, isBackup } = backend;
    const facts = scoreboard.facts(row);
    const known = health.of(row);
    const healthMs = known?.sinceMs ?? this.#startedMs;
    const isSteered = facts.operator !== "enabled";
    const sinceMs = isSteered ? this.#operator.changedMs(row) ?? healthMs : healthMs;
    return {
      name,
      address: formatAddress(address),
      state: stateOf(facts),
      reason: isSteered ? "as the operator wishes" : known?.reason ?? "",
      since: new Date(sinceMs).toISOString(),
      health: known?.isChecked ? (facts.isUp ? "up" : "down") : "unchecked",
      ejected: facts.isEjected,
      operator: facts.operator,
      weight: facts.weight,
      effective_weight: facts.weight * facts.rampPercent / 100,
      backup: isBackup,
      active: scoreboard.count(row),
      max_connections: facts.maxConnections,
      sessions_total: total(sums, "sessions"),
      dial_failures_total: total(sums, "dialFailures"),
      bytes_in: total(sums, "bytesIn"),
      bytes_out: total(sums, "bytesOut"),
      dial_ms: this.#watch.dialMs(pool.name, name),
    };
  }
}

function total(sums: readonly Sums[], what: "sessions" | "bytesIn" | "bytesOut" | "dialFailures"): number {
  return sums.reduce((sum, it) => sum + it[what], 0);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}
