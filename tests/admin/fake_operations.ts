/** A balancer that does nothing but remember what it was told. */

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
  Totals,
} from "../../lib/admin/operations.ts";
import type {
  BackendStatus,
  CertificateStatus,
  FleetStatus,
  PoolStatus,
  Status,
} from "../../lib/admin/status.ts";
import { HISTOGRAM_CELLS, type HistogramView, observe, viewHistogram } from "../../lib/pool/histogram.ts";

type News = { summary: Summary } | { change: Change };

/** An order as it arrived. */
export interface Steered {
  readonly pool: string;
  readonly backend: string;
  readonly order: Order;
}

export class FakeOperations implements Operations {
  /** Orders, followed or not. */
  readonly orders: Steered[] = [];
  /** Members that were to be set or removed. */
  readonly members: { pool: string; name: string; value?: unknown }[] = [];
  memberChanged: MemberChanged = { message: "Changed." };
  reloads = 0;
  /** What was said to be unused when a hand-over was finished. */
  readonly unused: (readonly string[])[] = [];
  /** How many sessions were asked for, each time. */
  readonly limits: number[] = [];
  readonly filters: SessionFilter[] = [];
  /** Sessions that were to be ended. */
  readonly killed: string[] = [];
  readonly hearers = new Set<(news: News) => void>();
  statusNow: Status = fakeStatus();
  countsNow: Counts = fakeCounts();
  past: Summary[] = [fakeSummary(1), fakeSummary(2, { "web/a": 0.5 }), fakeSummary(3, { "web/a": null })];
  changesPast: Change[] = [fakeChange("backend_down")];
  reloaded: Reloaded = { ok: true, message: "Reloaded." };

  status(): Status {
    return this.statusNow;
  }

  counts(): Counts {
    return this.countsNow;
  }

  sessions(limit: number, filter: SessionFilter): Promise<readonly SessionStatus[]> {
    this.limits.push(limit);
    this.filters.push(filter);
    const session = {
      id: "run-1-7",
      listener: "in",
      pool: "web",
      client: "127.0.0.1:5",
      backend: null,
      age_ms: 5,
    };
    return Promise.resolve([{ ...session, bytes_in: 1, bytes_out: 2, rate_limited: false }]);
  }

  killSession(id: string): Promise<boolean> {
    this.killed.push(id);
    return Promise.resolve(id === "run-1-7");
  }

  config(): unknown {
    return { listeners: [] };
  }

  history(): readonly Summary[] {
    return this.past;
  }

  changes(): readonly Change[] {
    return this.changesPast;
  }

  subscribe(hear: (news: News) => void): () => void {
    this.hearers.add(hear);
    return () => this.hearers.delete(hear);
  }

  publish(news: News): void {
    for (const hear of this.hearers) hear(news);
  }

  steer(pool: string, backend: string, order: Order): string | undefined {
    this.orders.push({ pool, backend, order });
    const backends = this.statusNow.pools.find((it) => it.name === pool)?.backends;
    if (backends === undefined || (backend !== "*" && !backends.some((it) => it.name === backend))) {
      return undefined;
    }
    return `${order.do} ${pool} ${backend}`;
  }

  setBackend(pool: string, name: string, value: unknown): Promise<MemberChanged> {
    this.members.push({ pool, name, value });
    return Promise.resolve(this.memberChanged);
  }

  removeBackend(pool: string, name: string): Promise<MemberChanged> {
    this.members.push({ pool, name });
    return Promise.resolve(this.memberChanged);
  }

  handOver(): Promise<HandOverOffer | { readonly refused: string }> {
    return Promise.resolve({ refused: "it is a fake" });
  }

  finishHandOver(unused: readonly string[]): Promise<string | undefined> {
    this.unused.push(unused);
    return Promise.resolve(undefined);
  }

  reload(): Promise<Reloaded> {
    this.reloads++;
    return Promise.resolve(this.reloaded);
  }

  /** Whether anything was to be changed. */
  get isTouched(): boolean {
    return this.orders.length + this.members.length > 0 || this.reloads > 0 || this.killed.length > 0;
  }
}

export function fakeBackend(name: string, facts: Partial<BackendStatus> = {}): BackendStatus {
  return {
    ...{ name, address: "127.0.0.1:8001", state: "up", reason: "", since: "2026-11-23T18:57:02.216Z" },
    ...{
      health: "up",
      ejected: false,
      operator: "enabled",
      weight: 1,
      configured_weight: 1,
      leaving: false,
      origin: "file",
      effective_weight: 1,
      backup: false,
    },
    ...{
      active: 2,
      max_connections: 10,
      sessions_total: 7,
      dial_failures_total: 1,
      bytes_in: 5,
      bytes_out: 6,
    },
    dial_ms: 0.4,
    ...facts,
  };
}

export function fakeStatus(facts: Partial<Status> = {}): Status {
  const backends = [fakeBackend("a"), fakeBackend("unix:/run/b.sock", { health: "down", state: "down" })];
  return {
    ...{
      version: "0.1.0",
      started_at: "2026-11-23T18:57:02.500Z",
      uptime_s: 60,
      now: "2026-11-23T18:58:02.500Z",
    },
    ...{
      generation: 3,
      config: "balancer.yaml",
      rollout: null,
      engine: "runtime",
      confined: "permissions",
      not_confined_by: null,
      state: "running",
      ready: true,
      log_records_dropped: 4,
    },
    workers: [{ id: 0, generation: 3, lag_ms: 1.5 }],
    process: { memory_bytes: 50_000_000, cpu_seconds: 1.25, open_files: 20, max_open_files: 1_024 },
    listeners: [fakeListener("in", "web")],
    pools: [fakePool("web", { backends })],
    held_back: [],
    sources: [],
    fleet: null,
    ...facts,
  };
}

/** This balancer, one that is alike, one that differs, and one that was lost. */
export function fakeFleet(facts: Partial<FleetStatus> = {}): FleetStatus {
  const since = "2026-11-23T18:57:02.500Z";
  const other = { version: "0.1.0", digest: "d", state: "present", since, differs: [] } as const;
  return {
    ...{ name: "lb1", address: "10.0.0.1:9901", version: "0.1.0", digest: "d", connected: true, since },
    ...{ trouble: "", unshared: 0 },
    others: [
      { ...other, name: "lb2", address: "10.0.0.2:9901" },
      { ...other, name: "lb3", address: "10.0.0.3:9901", digest: "e", differs: ["configuration"] },
      { ...other, name: "lb4", address: "10.0.0.4:9901", state: "lost" },
    ],
    ...facts,
  };
}

export function fakePool(name: string, facts: Partial<PoolStatus> = {}): PoolStatus {
  return {
    ...{ name, algorithm: "round_robin", queued: 1, queue_size: 5, available: 1, leaving: false },
    ...{ certificates: [], discovery: null },
    ...{ sessions_total: 9, refused_total: 2, retries_total: 3, backends: [] },
    ...facts,
  };
}

export function fakeListener(name: string, pool: string): Status["listeners"][number] {
  return {
    ...{ name, address: "127.0.0.1:5678", pools: [pool], leaving: false },
    ...{ active: 3, max_connections: 0, max_flows: 0 },
    max_connections_per_source: 0,
    rate_limit: { in: 0, out: 0, total_in: 0, total_out: 0 },
    certificates: [],
    ...{ sessions_total: 9, refused_total: 2, refused_by: { no_backend: 2 }, bytes_in: 5, bytes_out: 6 },
    datagrams_dropped: { rate_limit: 0, no_room: 0 },
  };
}

export function fakeCertificate(facts: Partial<CertificateStatus> = {}): CertificateStatus {
  return {
    ...{ subject: "CN=www.example.com", names: ["www.example.com", "example.com"] },
    ...{ not_before: "2026-11-01T00:00:00.000Z", not_after: "2027-01-30T00:00:00.000Z" },
    ...{ fingerprint: "A1:B2", state: "valid" },
    ...facts,
  };
}

export function fakeTotals(listener: string, pool: string, backend: string | null): Totals {
  return {
    ...{ listener, pool, backend, ends: { done: 5, dial_failed: 1 }, bytes_in: 100, bytes_out: 200 },
    ...{ dial_failures: 1, retries: 2, short_dials: 4 },
    ...{ datagrams_over_limit: 0, datagrams_without_room: 0 },
    dial_seconds: histogramOf(0.0001, 0.002, 7_200),
    session_seconds: histogramOf(1, 2),
    queue_seconds: histogramOf(),
  };
}

export function fakeCounts(facts: Partial<Counts> = {}): Counts {
  const checks = { checks_ok: 8, checks_failed: 2, checks_short: 1, ejections: 1, state_changes: 3 };
  return {
    totals: [fakeTotals("in", "web", "a"), fakeTotals("in", "web", null)],
    backends: [{ pool: "web", backend: "a", ...checks }],
    ...{ reloads_ok: 1, reloads_failed: 2 },
    ...facts,
  };
}

export function histogramOf(...seconds: number[]): HistogramView {
  const cells = new Float64Array(HISTOGRAM_CELLS);
  for (const value of seconds) observe(cells, 0, value);
  return viewHistogram(cells, 0);
}

export function fakeSummary(time: number, dial_ms: Summary["dial_ms"] = {}): Summary {
  return {
    time,
    active: 1,
    sessions_per_s: 2,
    refused_per_s: {},
    retries_per_s: 0,
    bytes_in_per_s: 3,
    bytes_out_per_s: 4,
    dial_ms,
  };
}

export function fakeChange(event: string, fields: Change["fields"] = { backend: "a" }): Change {
  return { time: "2026-11-23T18:57:02.216Z", level: "warn", event, fields };
}
