/** What a scrape shows, made of snapshots each time: nothing is counted here, and a scrape changes nothing. */

import { Exposition, labels } from "./exposition.ts";
import type { BackendState, BackendStatus, Counts, Status } from "./operations.ts";
import { addHistograms } from "./histogram_metrics.ts";

const STATES: readonly BackendState[] = ["up", "down", "ejected", "draining", "disabled"];

/** All metrics in the text format of Prometheus. */
export function renderMetrics(status: Status, counts: Counts): string {
  const to = new Exposition();
  addProgram(to, status);
  addReloads(to, counts);
  addProcess(to, status);
  addListeners(to, status);
  addPools(to, status, counts);
  addBackends(to, status);
  addBackendCounts(to, counts);
  addSessions(to, counts);
  addHistograms(to, status, counts);
  return to.toString();
}

function addProgram(to: Exposition, status: Status): void {
  to.family("sockbal_build_info", "gauge", "The version, as a label; always 1.");
  to.sample(labels({ version: status.version }), 1);
  to.single("sockbal_generation", "gauge", "The generation of workers in force.", status.generation);
  const dropped = "Records that the log had no room for.";
  to.single("sockbal_log_records_dropped_total", "counter", dropped, status.log_records_dropped);
  to.family(
    "sockbal_worker_loop_lag_seconds",
    "gauge",
    "The most that the worker's clock was late, of late.",
  );
  for (const { id, lag_ms } of status.workers) to.sample(labels({ worker: String(id) }), lag_ms / 1_000);
}

function addReloads(to: Exposition, counts: Counts): void {
  to.family("sockbal_reloads_total", "counter", "Reloads of the configuration.");
  to.sample(labels({ result: "ok" }), counts.reloads_ok);
  to.sample(labels({ result: "failed" }), counts.reloads_failed);
}

function addProcess(to: Exposition, { process, started_at }: Status): void {
  const memory = "Memory that the process holds.";
  to.single("sockbal_process_resident_memory_bytes", "gauge", memory, process.memory_bytes);
  const cpu = "Processor time that the process has used, in user and system mode.";
  to.single("sockbal_process_cpu_seconds_total", "counter", cpu, process.cpu_seconds);
  if (process.open_files !== null) {
    to.single("sockbal_process_open_fds", "gauge", "File descriptors in use.", process.open_files);
  }
  const start = "When the process started, since 1970.";
  to.single("sockbal_process_start_time_seconds", "gauge", start, Date.parse(started_at) / 1_000);
}

function addListeners(to: Exposition, { listeners }: Status): void {
  to.family("sockbal_sessions_active", "gauge", "Sessions that go on.");
  for (const { name, active } of listeners) to.sample(labels({ listener: name }), active);
}

function addPools(to: Exposition, { pools }: Status, counts: Counts): void {
  to.family("sockbal_pool_available_backends", "gauge", "Backends that may be picked.");
  for (const { name, available } of pools) to.sample(labels({ pool: name }), available);
  to.family("sockbal_queue_length", "gauge", "Sessions that wait for a free backend.");
  for (const { name, queued } of pools) to.sample(labels({ pool: name }), queued);
  const retries = new Map(pools.map(({ name }) => [name, 0]));
  for (const { pool, retries: more } of counts.totals) retries.set(pool, (retries.get(pool) ?? 0) + more);
  to.family("sockbal_retries_total", "counter", "Dials of a backend after another one had failed.");
  for (const [pool, count] of retries) to.sample(labels({ pool }), count);
}

function addBackends(to: Exposition, { pools }: Status): void {
  const backends: [string, BackendStatus][] = pools.flatMap(({ name: pool, backends }) =>
    backends.map((it): [string, BackendStatus] => [labels({ pool, backend: it.name }), it])
  );
  const gauge = (name: string, help: string, value: (backend: BackendStatus) => number): void => {
    to.family(name, "gauge", help);
    for (const [labels, backend] of backends) to.sample(labels, value(backend));
  };
  gauge("sockbal_backend_up", "0 when health checks found it down.", (it) => it.health === "down" ? 0 : 1);
  to.family("sockbal_backend_state", "gauge", "1 for the state that the backend is in, 0 for the others.");
  for (const [labels, backend] of backends) {
    for (const state of STATES) to.sample(`${labels},state="${state}"`, backend.state === state ? 1 : 0);
  }
  gauge("sockbal_backend_weight", "Weight, without what a slow start takes from it.", (it) => it.weight);
  gauge("sockbal_backend_active_sessions", "Sessions that hold a slot.", (it) => it.active);
  gauge("sockbal_backend_max_sessions", "Slots; 0 is no limit.", (it) => it.max_connections);
  to.family("sockbal_dial_failures_total", "counter", "Dials that failed.");
  for (const [labels, { dial_failures_total }] of backends) to.sample(labels, dial_failures_total);
}

function addBackendCounts(to: Exposition, counts: Counts): void {
  const backends = counts.backends.map((it) => ({
    ...it,
    labels: labels({ pool: it.pool, backend: it.backend }),
  }));
  to.family("sockbal_health_checks_total", "counter", "Health checks by result.");
  for (const { labels, checks_ok, checks_failed } of backends) {
    to.sample(`${labels},result="ok"`, checks_ok);
    to.sample(`${labels},result="failed"`, checks_failed);
  }
  to.family(
    "sockbal_backend_ejections_total",
    "counter",
    "How often it was ejected for failing its sessions.",
  );
  for (const { labels, ejections } of backends) to.sample(labels, ejections);
  to.family("sockbal_backend_state_changes_total", "counter", "Changes of state, of whatever kind.");
  for (const { labels, state_changes } of backends) to.sample(labels, state_changes);
}

/** Sessions that reached no backend have an empty label, which to Prometheus is none. */
function addSessions(to: Exposition, counts: Counts): void {
  const totals = counts.totals.map(({ listener, pool, backend, ...rest }) => ({
    ...rest,
    labels: labels({ listener, pool, backend: backend ?? "" }),
  }));
  to.family("sockbal_sessions_total", "counter", "Sessions that have ended, by how.");
  for (const { labels: where, ends } of totals) {
    for (const [end, count] of Object.entries(ends)) to.sample(`${where},${labels({ end })}`, count);
  }
  to.family("sockbal_bytes_in_total", "counter", "Bytes relayed from client to backend.");
  for (const { labels, bytes_in } of totals) to.sample(labels, bytes_in);
  to.family("sockbal_bytes_out_total", "counter", "Bytes relayed from backend to client.");
  for (const { labels, bytes_out } of totals) to.sample(labels, bytes_out);
}
