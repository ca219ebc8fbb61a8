/** The state of a balancer as text: pure. */

import type {
  BackendStatus,
  CertificateStatus,
  ListenerStatus,
  PoolStatus,
  Status,
} from "../admin/status.ts";
import { certificateTitle } from "../core/certificate_title.ts";
import { quote } from "../core/quote.ts";
import { fleetTable } from "./fleet_table.ts";
import { rolloutLines } from "./rollout_lines.ts";
import { span } from "./span.ts";
import { type Column, cutMiddle, type Row, tableLines, wrapped } from "./text_table.ts";

/** As narrow as terminals are. */
const LEAST_WIDTH = 80;

/** What needs a look comes first; what is not here stands between. */
const BY_URGENCY: readonly string[] = ["down", "ejected", "disabled", "draining", "leaving"];

const LISTENER_COLUMNS: readonly Column[] = [
  { title: "LISTENER", isCut: true },
  { title: "ADDRESS", isCut: true },
  { title: "POOL", isCut: true },
  { title: "ACTIVE", isNumeric: true },
  { title: "SESSIONS", isNumeric: true },
  { title: "REFUSED", isNumeric: true },
  { title: "IN", isNumeric: true },
  { title: "OUT", isNumeric: true },
];

const BACKEND_COLUMNS: readonly Column[] = [
  { title: "BACKEND", isCut: true },
  { title: "STATE" },
  { title: "WEIGHT", isNumeric: true },
  { title: "ACTIVE", isNumeric: true },
  { title: "SESSIONS", isNumeric: true },
  { title: "FAILED", isNumeric: true },
  { title: "IN", isNumeric: true },
  { title: "OUT", isNumeric: true },
];

/** Why a balancer is not ready, in one sentence without a full stop; undefined when it is. */
export function whyNotReady({ state, ready, workers, pools }: Status): string | undefined {
  // An older balancer says only whether it is ready.
  if ((state ?? "running") !== "running") return `it is ${state}`;
  const empty = pools.filter((pool) => pool.available === 0 && !pool.leaving).map(({ name }) => name);
  if (ready) return undefined;
  if (empty.length === 0) return workers.length === 0 ? "no worker runs" : "it starts or stops";
  const shown = empty.slice(0, 3).join(", ") + (empty.length > 3 ? ` and ${empty.length - 3} more` : "");
  return `${empty.length === 1 ? "pool" : "pools"} ${shown} ${empty.length === 1 ? "has" : "have"} ` +
    "no backend that may be picked";
}

/**
 * The whole state, pool by pool, the backends that need a look first.
 *
 * @param columns How wide the terminal is; nothing is cut to less than 80.
 */
export function statusTable(status: Status, columns = LEAST_WIDTH): string {
  const width = Math.max(columns, LEAST_WIDTH);
  const { version, engine, uptime_s, generation, config, listeners, pools, now } = status;
  const { confined, not_confined_by, rollout } = status;
  const why = whyNotReady(status);
  const head = [
    // An older balancer does not say which engine it has, nor what confines it.
    `sockbal ${version}, ${engine === undefined ? "" : `engine ${engine}, `}up for ${
      span(uptime_s)
    }, generation ${generation}, ${why === undefined ? "ready" : "NOT READY"}`,
    ...(why === undefined ? [] : [cutMiddle(`NOT READY: ${why}`, width)]),
    ...(confined === null || confined === undefined
      ? []
      : wrapped(confinement(confined, not_confined_by), width)),
    cutMiddle(config, width),
    // An older balancer has no rollout.
    ...(rollout ? rolloutLines(rollout, now).flatMap((line) => wrapped(line, width)) : []),
  ];
  const sorted = pools.map((pool) => ({ pool, backends: byUrgency(pool.backends) }));
  const [titles = "", ...lines] = tableLines(
    BACKEND_COLUMNS,
    sorted.flatMap(({ backends }) => backends.map(backendRow)),
    width,
  );
  let at = 0;
  const poolLines = sorted.flatMap(({ pool, backends }) => [
    "",
    cutMiddle(poolHeading(pool), width),
    ...certificateLines(pool.certificates, now, width),
    ...discoveryLines(pool, now, width),
    titles,
    ...backends.flatMap((backend) => [lines[at++] ?? "", ...reasonLines(backend, now, width)]),
  ]);
  const [listenerTitles = "", ...rows] = tableLines(LISTENER_COLUMNS, listeners.map(listenerRow), width);
  const listenerLines = listeners.flatMap(({ certificates }, i) => [
    rows[i] ?? "",
    ...certificateLines(certificates, now, width),
  ]);
  const fleetLines = fleetTable(status.fleet, now, width);
  return [...head, "", listenerTitles, ...listenerLines, ...fleetLines, ...poolLines, ""].join("\n");
}

function confinement(confined: string, missing: string | null): string {
  return `workers confined by ${confined}${missing === null ? "" : `, not by ${missing}`}`;
}

function byUrgency(backends: readonly BackendStatus[]): BackendStatus[] {
  const rank = ({ state }: BackendStatus): number => {
    const at = BY_URGENCY.indexOf(state);
    return at === -1 ? BY_URGENCY.length : at;
  };
  return backends.toSorted((a, b) => rank(a) - rank(b));
}

function poolHeading(pool: PoolStatus): string {
  if (pool.leaving) return `POOL ${pool.name}: gone from the configuration, until its last session has ended`;
  const available = `${pool.available} of ${pool.backends.filter((it) => !it.leaving).length} available`;
  const parts = [
    pool.available === 0 ? available.toUpperCase() : available,
    pool.algorithm,
    ...(pool.queue_size === 0 ? [] : [`${pool.queued} of ${pool.queue_size} wait in the queue`]),
    ...(pool.refused_total === 0 ? [] : [`${count(pool.refused_total)} refused`]),
  ];
  return `POOL ${pool.name}: ${parts.join(", ")}`;
}

function listenerRow(it: ListenerStatus): Row {
  return [
    it.name + (it.leaving ? " (leaving)" : ""),
    it.address,
    // An older balancer has one pool for each.
    it.pools?.join(", ") ?? "",
    // An older balancer has no flows.
    limited(it.active, it.max_connections || (it.max_flows ?? 0)),
    count(it.sessions_total),
    count(it.refused_total),
    bytes(it.bytes_in),
    bytes(it.bytes_out),
  ];
}

function backendRow(it: BackendStatus): Row {
  const share = Math.round(it.effective_weight * 10) / 10;
  return [
    it.name + (it.backup ? " (backup)" : ""),
    it.state,
    it.effective_weight === it.weight ? String(it.weight) : `${share}/${it.weight}`,
    limited(it.active, it.max_connections),
    count(it.sessions_total),
    count(it.dial_failures_total),
    bytes(it.bytes_in),
    bytes(it.bytes_out),
  ];
}

/** Why a backend is as it is, below its row: its state, and a weight that differs from the file's. */
function reasonLines(backend: BackendStatus, now: string, width: number): string[] {
  const { state, reason, since, weight, configured_weight, leaving } = backend;
  const lines: string[] = [];
  if (state !== "up" && reason !== "") {
    const seconds = Math.floor((Date.parse(now) - Date.parse(since)) / 1_000);
    lines.push(`  ${state}${seconds >= 0 ? ` for ${span(seconds)}` : ""}: ${reason}`);
  }
  if (weight !== configured_weight && !leaving) {
    lines.push(`  weight ${weight} was set by the operator; the configuration says ${configured_weight}`);
  }
  return lines.map((line) => line.length <= width ? line : `${line.slice(0, width - 1)}…`);
}

/** Where its backends come from, and what keeps that from working. An older balancer says nothing of it. */
function discoveryLines({ discovery }: PoolStatus, now: string, width: number): string[] {
  if (discovery === null || discovery === undefined) return [];
  const { source, members, trouble, since, refused } = discovery;
  const seconds = Math.floor((Date.parse(now) - Date.parse(since)) / 1_000);
  const state = trouble === "" ? `${count(members)} discovered` : `FAILING for ${span(seconds)}: ${trouble}`;
  const more = refused.length === 0 ? "" : `, ${refused.length} left out: ${refused[0]}`;
  return [cutMiddle(`  ${source}: ${state}${more}`, width)];
}

/** Those that expire soon, or else the first that will. An older balancer says nothing of certificates. */
function certificateLines(
  certificates: readonly CertificateStatus[] = [],
  now: string,
  width: number,
): string[] {
  const sorted = certificates.toSorted((a, b) => Date.parse(a.not_after) - Date.parse(b.not_after));
  const urgent = sorted.filter(({ state }) => state !== "valid");
  return (urgent.length > 0 ? urgent : sorted.slice(0, 1)).map((it) => {
    const seconds = Math.floor((Date.parse(it.not_after) - Date.parse(now)) / 1_000);
    const when = seconds < 0 ? `EXPIRED ${span(-seconds)} ago` : `expires in ${span(seconds)}`;
    const day = it.not_after.slice(0, "2000-01-01".length);
    const line = `  certificate ${when}, on ${day}: `;
    return line + cutMiddle(quote(certificateTitle(it)), width - line.length);
  });
}

function limited(active: number, limit: number): string {
  return limit === 0 ? count(active) : `${count(active, 10_000)}/${count(limit, 10_000)}`;
}

/** Exact as long as that is short. */
function count(n: number, exactBelow = 1_000_000): string {
  if (n < exactBelow) return String(n);
  return scaled(n, 1_000, ["", "k", "M", "G", "T"], "");
}

function bytes(n: number): string {
  return scaled(n, 1_024, ["B", "KiB", "MiB", "GiB", "TiB"], " ");
}

function scaled(n: number, base: number, units: readonly string[], gap: string): string {
  let value = n;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)}${gap}${units[unit]}`;
}
