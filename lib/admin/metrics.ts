/** What a scrape shows, made of snapshots each time: nothing is counted here, and a scrape changes nothing. */

import { certificateTitle } from "../core/certificate_title.ts";
import { Exposition, labels } from "./exposition.ts";
import type { Counts } from "./operations.ts";
import type { BackendState, CertificateStatus, RolloutStatus, Status } from "./status.ts";
import { addHistograms } from "./histogram_metrics.ts";

const STATES: readonly BackendState[] = ["up", "down", "ejected", "draining", "disabled", "leaving"];

const ROLLOUT_STATES: readonly RolloutStatus["state"][] = [
  "in_force",
  "changed",
  "waiting",
  "trying",
  "stopped",
  "failed",
];

/** All metrics in the text format of Prometheus, in UTF-8. */
export function renderMetrics(status: Status, counts: Counts): Uint8Array<ArrayBuffer> {
  const to = new Exposition();
  addProgram(to, status);
  addReloads(to, counts);
  addRollout(to, status);
  addProcess(to, status);
  addListeners(to, status);
  addCertificates(to, status);
  addPools(to, status, counts);
  addDiscovery(to, status);
  addFleet(to, status);
  addBackends(to, status);
  addDials(to, status, counts);
  addBackendCounts(to, counts);
  addSessions(to, counts);
  addDatagrams(to, status, counts);
  addHistograms(to, status, counts);
  return to.bytes();
}

function addProgram(to: Exposition, status: Status): void {
  to.family("sockbal_build_info", "gauge", "The version, as a label; always 1.");
  to.sample(labels({ version: status.version }), 1);
  const engine = "How workers drive their sockets, and what confines them, as labels; always 1.";
  to.family("sockbal_engine_info", "gauge", engine);
  to.sample(labels({ engine: status.engine, confined: status.confined ?? "" }), 1);
  to.single("sockbal_generation", "gauge", "The generation of workers in force.", status.generation);
  const dropped = "Records that the log had no room for.";
  to.single("sockbal_log_records_dropped_total", "counter", dropped, status.log_records_dropped);
  to.family(
    "sockbal_worker_loop_lag_seconds",
    "gauge",
    "Largest event-loop lag of the worker since the last report.",
  );
  for (const { id, lag_ms } of status.workers) to.sample(labels({ worker: String(id) }), lag_ms / 1_000);
}

function addReloads(to: Exposition, counts: Counts): void {
  to.family("sockbal_reloads_total", "counter", "Reloads of the configuration.");
  to.sample(labels({ result: "ok" }), counts.reloads_ok);
  to.sample(labels({ result: "failed" }), counts.reloads_failed);
}

function addRollout(to: Exposition, { rollout }: Status): void {
  if (rollout === null) return;
  const up = "0 while the etcd that has the configuration cannot be asked.";
  to.single("sockbal_config_store_up", "gauge", up, rollout.trouble === "" ? 1 : 0);
  to.family("sockbal_rollout_state", "gauge", "What became of the last change in etcd: 1 for its state.");
  for (const state of ROLLOUT_STATES) to.sample(labels({ state }), state === rollout.state ? 1 : 0);
}

function addProcess(to: Exposition, { process, started_at }: Status): void {
  const memory = "Memory that the process holds.";
  to.single("sockbal_process_resident_memory_bytes", "gauge", memory, process.memory_bytes);
  const cpu = "Processor time that the process has used, in user and system mode.";
  to.single("sockbal_process_cpu_seconds_total", "counter", cpu, process.cpu_seconds);
  if (process.open_files !== null) {
    to.single("sockbal_open_files", "gauge", "File descriptors in use.", process.open_files);
  }
  if (process.max_open_files !== null) {
    to.single(
      "sockbal_max_open_files",
      "gauge",
      "File descriptors that may be in use.",
      process.max_open_files,
    );
  }
  const start = "When the process started, since 1970.";
  to.single("sockbal_process_start_time_seconds", "gauge", start, Date.parse(started_at) / 1_000);
}

function addListeners(to: Exposition, { listeners }: Status): void {
  to.family("sockbal_sessions_active", "gauge", "Sessions that go on.");
  for (const { name, active } of listeners) to.sample(labels({ listener: name }), active);
  const limits = listeners.flatMap(({ name, rate_limit: limit }) => [
    [{ listener: name, of: "session", direction: "in" }, limit.in] as const,
    [{ listener: name, of: "session", direction: "out" }, limit.out] as const,
    [{ listener: name, of: "listener", direction: "in" }, limit.total_in] as const,
    [{ listener: name, of: "listener", direction: "out" }, limit.total_out] as const,
  ]).filter(([, limit]) => limit > 0);
  if (limits.length === 0) return;
  const help = "Bytes a second that each session, or all of a listener, may move.";
  to.family("sockbal_rate_limit_bytes_per_second", "gauge", help);
  for (const [label, limit] of limits) to.sample(labels(label), limit);
}

/** Two with one name, as of an RSA and an ECDSA key, are one series: that of the first to expire. A renewed one goes on with it. */
function addCertificates(to: Exposition, { listeners, pools }: Status): void {
  const ends = new Map<string, number>();
  const add = (owner: Record<string, string>, certificates: readonly CertificateStatus[]): void => {
    for (const it of certificates) {
      const label = labels({ ...owner, subject: certificateTitle(it) });
      ends.set(label, Math.min(ends.get(label) ?? Infinity, Date.parse(it.not_after) / 1_000));
    }
  };
  for (const { name, certificates } of listeners) add({ listener: name }, certificates);
  for (const { name, certificates } of pools) add({ pool: name }, certificates);
  const help = "When a certificate in use expires, since 1970.";
  to.family("sockbal_certificate_expiry_timestamp_seconds", "gauge", help);
  for (const [label, seconds] of ends) to.sample(label, seconds);
}

function addPools(to: Exposition, { pools }: Status, counts: Counts): void {
  to.family("sockbal_pool_available_backends", "gauge", "Backends that may be picked.");
  for (const { name, available } of pools) to.sample(labels({ pool: name }), available);
  to.family("sockbal_queue_length", "gauge", "Sessions that wait for a free backend.");
  for (const { name, queued } of pools) to.sample(labels({ pool: name }), queued);
  const retries = new Map(pools.map(({ name }) => [name, 0]));
  for (const { pool, retries: more } of counts.totals) {
    // Sessions without a pool dial none.
    if (more > 0) retries.set(pool, (retries.get(pool) ?? 0) + more);
  }
  to.family("sockbal_retries_total", "counter", "Dials of a backend after another one had failed.");
  for (const [pool, count] of retries) to.sample(labels({ pool }), count);
}

/** Of the pools that discover their backends. */
function addDiscovery(to: Exposition, { pools }: Status): void {
  const known = pools.flatMap(({ name, discovery }) =>
    discovery === null ? [] : [{ pool: name, ...discovery }]
  );
  if (known.length === 0) return;
  const names = known.map(({ pool }) => labels({ pool }));
  to.family("sockbal_discovery_up", "gauge", "0 while the source of backends cannot be used.");
  addEach(to, names, known, ({ trouble }) => trouble === "" ? 1 : 0);
  to.family("sockbal_discovered_backends", "gauge", "Backends that the source has named last.");
  addEach(to, names, known, ({ members }) => members);
}

/** Of a balancer that is in one. */
function addFleet(to: Exposition, { fleet }: Status): void {
  if (fleet === null) return;
  const { connected, since, unshared, others } = fleet;
  to.single(
    "sockbal_fleet_connected",
    "gauge",
    "0 while the etcd of the fleet cannot be reached.",
    connected ? 1 : 0,
  );
  const changed = "Since when it can be reached, or cannot, since 1970.";
  to.single("sockbal_fleet_connection_change_timestamp_seconds", "gauge", changed, Date.parse(since) / 1_000);
  const present = others.filter(({ state }) => state === "present");
  const members = "Balancers of the fleet that are there, with this one.";
  to.single("sockbal_fleet_members", "gauge", members, 1 + present.length);
  const lost = "Balancers that were seen, and have gone without a word.";
  to.single("sockbal_fleet_lost_members", "gauge", lost, others.length - present.length);
  const differing = "Balancers with another version or configuration than this one.";
  const count = present.filter(({ differs }) => differs.length > 0).length;
  to.single("sockbal_fleet_differing_members", "gauge", differing, count);
  const waiting = "Wishes that were given here and are not yet in etcd.";
  to.single("sockbal_fleet_unshared_wishes", "gauge", waiting, unshared);
}

function addBackends(to: Exposition, { pools }: Status): void {
  const names = pools.flatMap((pool) =>
    pool.backends.map((it) => labels({ pool: pool.name, backend: it.name }))
  );
  const backends = pools.flatMap((pool) => pool.backends);
  to.family("sockbal_backend_up", "gauge", "0 when health checks found it down.");
  addEach(to, names, backends, (it) => it.health === "down" ? 0 : 1);
  to.family("sockbal_backend_state", "gauge", "1 for the state that the backend is in, 0 for the others.");
  for (const state of STATES) {
    addEach(to, names, backends, (it) => it.state === state ? 1 : 0, `,state="${state}"`);
  }
  to.family("sockbal_backend_weight", "gauge", "Weight, without what a slow start takes from it.");
  addEach(to, names, backends, (it) => it.weight);
  to.family("sockbal_backend_active_sessions", "gauge", "Sessions that hold a slot.");
  addEach(to, names, backends, (it) => it.active);
  to.family("sockbal_backend_max_sessions", "gauge", "Slots; 0 is no limit.");
  addEach(to, names, backends, (it) => it.max_connections);
}

function addDials(to: Exposition, status: Status, counts: Counts): void {
  const failed = "Dials that failed, for the backend's fault or that of the way to it.";
  addByBackend(to, status, counts, "sockbal_dial_failures_total", failed, "dial_failures");
  const short = "Sessions that this machine had no descriptor, local port or memory to dial the backend for.";
  addByBackend(to, status, counts, "sockbal_dials_short_total", short, "short_dials");
}

/** What was removed from the configuration is summed up under a name of its own, so that no sum goes back. */
function addByBackend(
  to: Exposition,
  { pools }: Status,
  counts: Counts,
  name: string,
  help: string,
  what: "dial_failures" | "short_dials",
): void {
  const sums = new Map<string, number>();
  for (const pool of pools) {
    for (const { name } of pool.backends) sums.set(labels({ pool: pool.name, backend: name }), 0);
  }
  for (const { pool, backend, [what]: more } of counts.totals) {
    if (backend === null) continue;
    const label = labels({ pool, backend });
    sums.set(label, (sums.get(label) ?? 0) + more);
  }
  to.family(name, "counter", help);
  for (const [label, sum] of sums) to.sample(label, sum);
}

function addBackendCounts(to: Exposition, { backends }: Counts): void {
  const names = backends.map(({ pool, backend }) => labels({ pool, backend }));
  to.family("sockbal_health_checks_total", "counter", "Health checks by result.");
  addEach(to, names, backends, (it) => it.checks_ok, ',result="ok"');
  addEach(to, names, backends, (it) => it.checks_failed, ',result="failed"');
  addEach(to, names, backends, (it) => it.checks_short, ',result="short"');
  to.family("sockbal_backend_ejections_total", "counter", "How often it was ejected for failing sessions.");
  addEach(to, names, backends, (it) => it.ejections);
  to.family("sockbal_backend_state_changes_total", "counter", "Changes of state, of whatever kind.");
  addEach(to, names, backends, (it) => it.state_changes);
}

/** Where a listener takes datagrams, or did. */
function addDatagrams(to: Exposition, { listeners }: Status, { totals }: Counts): void {
  const names = new Set(listeners.filter(({ max_flows }) => max_flows > 0).map(({ name }) => name));
  const counted = totals.filter((it) => {
    return names.has(it.listener) || it.datagrams_over_limit + it.datagrams_without_room > 0;
  });
  if (counted.length === 0) return;
  const help = "Datagrams that were above a rate limit, or for which there was no room.";
  to.family("sockbal_datagrams_dropped_total", "counter", help);
  const keys = counted.map(({ listener, pool, backend }) =>
    labels({ listener, pool, backend: backend ?? "" })
  );
  addEach(to, keys, counted, (it) => it.datagrams_over_limit, ',reason="rate_limit"');
  addEach(to, keys, counted, (it) => it.datagrams_without_room, ',reason="no_room"');
}

/** Sessions that reached no backend have an empty label, which to Prometheus is none. */
function addSessions(to: Exposition, { totals }: Counts): void {
  const names = totals.map(({ listener, pool, backend }) =>
    labels({ listener, pool, backend: backend ?? "" })
  );
  to.family("sockbal_sessions_total", "counter", "Sessions that have ended, by how.");
  totals.forEach(({ ends }, i) => {
    for (const end in ends) to.sample(`${names[i]},${labels({ end })}`, ends[end] ?? 0);
  });
  to.family("sockbal_bytes_in_total", "counter", "Bytes relayed from client to backend.");
  addEach(to, names, totals, (it) => it.bytes_in);
  to.family("sockbal_bytes_out_total", "counter", "Bytes relayed from backend to client.");
  addEach(to, names, totals, (it) => it.bytes_out);
}

/** A sample for each thing, whose labels are at the same place in `names`, and `more` behind them. */
function addEach<T>(
  to: Exposition,
  names: readonly string[],
  things: readonly T[],
  value: (thing: T) => number,
  more = "",
): void {
  things.forEach((thing, i) => to.sample(names[i] + more, value(thing)));
}
