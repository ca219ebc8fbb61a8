/** A running balancer as the admin side sees it. */

import type {
  Change,
  Counts,
  HandOverOffer,
  MemberChanged,
  Operations,
  Order,
  Reloaded,
  SessionFilter,
  SessionStatus,
  Summary,
} from "../admin/operations.ts";
import type { RolloutStatus, Status } from "../admin/status.ts";
import type { Config } from "../config/schema.ts";
import type { RunningLog } from "../core/log.ts";
import process from "node:process";
import type { Balancer } from "./balancer.ts";
import { FleetSide, type FleetSideOptions } from "./fleet_side.ts";
import { HandOver } from "./hand_over.ts";
import { KeptState } from "./kept_state.ts";
import { MemberOrders } from "./member_orders.ts";
import { Operator } from "./operator.ts";
import { goneStatus, poolStatus, type PoolStatusDeps } from "./pool_status.ts";
import { shownConfig } from "./shown_config.ts";
import { listenerStatuses } from "./listener_status.ts";
import { busiestSources, heldBackStatuses } from "./source_status.ts";
import { Watch } from "./watch.ts";

/** Where reloads are asked for, and counted. */
export interface Reloads {
  readonly counts: { readonly ok: number; readonly failed: number };
  request(): Promise<Reloaded>;
}

export interface OperationsOptions {
  readonly balancer: Balancer;
  readonly version: string;
  /** Where the configuration came from. */
  readonly config: string;
  readonly log: Pick<RunningLog, "dropped">;
  readonly reloads: Reloads;
  /** What of the admin side is in force; it may have failed to follow the configuration. */
  readonly admin: () => Config["admin"];
  /** Where the configuration is in etcd, what became of it. */
  readonly rollout?: () => RolloutStatus;
  readonly fleet?: FleetSideOptions["tuning"];
  /** Called when another process listens in the place of this one, which is to end when its sessions have. */
  readonly onHandedOver?: () => void;
}

export class BalancerOperations implements Operations {
  readonly #options: OperationsOptions;
  readonly #balancer: Balancer;
  readonly #watch: Watch;
  readonly #operator: Operator;
  readonly #memberOrders: MemberOrders;
  readonly #fleet: FleetSide;
  readonly #state: KeptState;
  readonly #handOver: HandOver;
  readonly #startedMs = Date.now();
  readonly #shown: PoolStatusDeps;

  /** Begins to watch; {@linkcode stop} ends that. */
  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#balancer = options.balancer;
    this.#watch = new Watch(options.balancer);
    this.#operator = new Operator(options.balancer);
    this.#memberOrders = new MemberOrders(options.balancer);
    this.#fleet = new FleetSide({
      balancer: options.balancer,
      operator: this.#operator,
      version: options.version,
      onChanged: () => this.#state.changed(),
      tuning: options.fleet,
    });
    this.#state = new KeptState(options.balancer, () => this.#fleet.unshared);
    this.#handOver = new HandOver({
      balancer: options.balancer,
      admin: () => options.admin()?.listen,
      keepState: () => this.#state.flush(),
      onDone: () => options.onHandedOver?.(),
    });
    this.#shown = {
      balancer: options.balancer,
      startedMs: this.#startedMs,
      changedMs: (row) => this.#operator.changedMs(row),
      dialMs: (pool, backend) => this.#watch.dialMs(pool, backend),
    };
  }

  /** Resolves when what the operator wants is kept. */
  async stop(): Promise<void> {
    this.#watch.stop();
    await this.#fleet.stop();
    this.#operator.stop();
    await this.#state.flush();
  }

  /** Takes the balancer out of its fleet: the others are told at once. Never hangs or rejects. */
  leaveFleet(): Promise<void> {
    return this.#fleet.stop();
  }

  status(): Status {
    const { generations, plan, state } = this.#balancer;
    const sums = [...this.#balancer.totals.sums()];
    const files = this.#balancer.openFiles.inUse;
    const leaving = this.#balancer.plansInUse.leaving(this.#balancer.plan);
    const pools = plan.pools.map((pool) => {
      const left = leaving.pools.find((it) => it.pool.name === pool.name)?.backends ?? [];
      return poolStatus(pool, left, sums, this.#shown);
    });
    const gone = leaving.pools.filter(({ isGone }) => isGone);
    return {
      version: this.#options.version,
      started_at: new Date(this.#startedMs).toISOString(),
      uptime_s: Math.floor((Date.now() - this.#startedMs) / 1_000),
      now: new Date().toISOString(),
      generation: generations.started,
      config: this.#options.config,
      rollout: this.#options.rollout?.() ?? null,
      engine: this.#balancer.engine.name,
      confined: this.#balancer.confinement?.confined ?? null,
      not_confined_by: this.#balancer.confinement?.not_confined_by ?? null,
      state,
      ready: state === "running" && pools.every((pool) => pool.available > 0),
      workers: generations.all.flatMap((generation) => {
        return generation.lags().map(({ id, lagMs }) => {
          return { id, generation: generation.number, lag_ms: Math.round(lagMs) };
        });
      }),
      process: {
        memory_bytes: Deno.memoryUsage().rss,
        cpu_seconds: cpuSeconds(),
        open_files: files?.open ?? null,
        max_open_files: files?.max ?? null,
      },
      log_records_dropped: this.#options.log.dropped,
      listeners: listenerStatuses(this.#balancer, leaving.listeners, sums),
      held_back: heldBackStatuses(this.#balancer),
      sources: busiestSources(this.#balancer),
      fleet: this.#fleet.status(),
      pools: [...pools, ...gone.map(({ pool, backends }) => goneStatus(pool, backends, sums, this.#shown))],
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
            checks_short: known?.checks.short ?? 0,
            ejections: known?.ejections ?? 0,
            state_changes: scoreboard.stateChanges(row),
          };
        })
      ),
      reloads_ok: this.#options.reloads.counts.ok,
      reloads_failed: this.#options.reloads.counts.failed,
    };
  }

  async sessions(limit: number, filter: SessionFilter = {}): Promise<readonly SessionStatus[]> {
    return await this.#balancer.generations.sessions(limit, filter);
  }

  async killSession(id: string): Promise<boolean> {
    const found = await this.#balancer.generations.endSession(id, "killed");
    if (found) this.#balancer.journal.info("session_killed", { id });
    return found;
  }

  config(): unknown {
    const { membership: { written }, engine } = this.#balancer;
    return shownConfig({ ...written, engine: engine.name, admin: this.#options.admin() });
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
    const done = this.#operator.steer(pool, backend, order);
    if (done !== undefined) this.#fleet.give(pool, this.#operator.meant(pool, backend), order);
    return this.#kept(done);
  }

  async setBackend(pool: string, name: string, value: unknown): Promise<MemberChanged> {
    return this.#kept(await this.#memberOrders.set(pool, name, value));
  }

  async removeBackend(pool: string, name: string): Promise<MemberChanged> {
    return this.#kept(await this.#memberOrders.remove(pool, name));
  }

  /** Takes over what the operator wanted before a restart, here and in the fleet. Call it before the balancer starts. */
  async restore(): Promise<void> {
    await this.#fleet.begin(await this.#state.restore());
  }

  async reload(): Promise<Reloaded> {
    const done = await this.#options.reloads.request();
    this.#state.follow();
    this.#fleet.follow();
    return done;
  }

  handOver(): Promise<HandOverOffer | { readonly refused: string }> {
    return this.#handOver.offer();
  }

  finishHandOver(unused: readonly string[]): Promise<string | undefined> {
    return this.#handOver.finish(unused);
  }

  #kept<T>(done: T): T {
    this.#state.changed();
    return done;
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}
