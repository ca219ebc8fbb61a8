/** What a configuration may say but probably does not mean. */

import { formatDuration } from "../core/duration.ts";
import { formatSize } from "../core/size.ts";
import type { PathFault } from "./findings.ts";
import { udpPools } from "./listener_schema.ts";
import { loopNotes } from "./loops.ts";
import type { PoolConfig } from "./pool_schema.ts";
import type { CheckedConfig } from "./schema.ts";
import { tlsNotes } from "./tls_notes.ts";
import { sourceNotes } from "./source_checks.ts";

/** More threads than this a core only wait for each other, and each holds memory and descriptors. */
const SENSIBLE_WORKERS_A_CORE = 4;

/** What a worker takes with no session at all, measured. */
const WORKER_MIB = 20;

/** Notes on a configuration that was checked; each stands at its key, or at the map that the key is missing from. */
export function notesOn(config: CheckedConfig, folder: string): PathFault[] {
  const overUdp = udpPools(config.listeners);
  const onPools = Object.entries(config.pools).flatMap(([name, pool]) => {
    const base = ["pools", name];
    return [...notesOnPool(pool), ...(overUdp.has(name) ? notesOnUdpPool(pool) : [])].map((
      { path, message },
    ) => ({ path: [...base, ...path], message }));
  });
  return [
    ...onPools,
    ...rateNotes(config.listeners),
    ...tlsNotes(config),
    ...loopNotes(config, folder),
    ...workerNotes(config.workers, navigator.hardwareConcurrency),
  ];
}

/** One session never moves more than all of them. */
function rateNotes(listeners: CheckedConfig["listeners"]): PathFault[] {
  return listeners.flatMap(({ rateLimit }, i) => {
    const pairs = [["in", rateLimit.in, rateLimit.totalIn], [
      "out",
      rateLimit.out,
      rateLimit.totalOut,
    ]] as const;
    return pairs.filter(([, own, total]) => total > 0 && own > total).map(([key, own, total]) => ({
      path: ["listeners", i, "rate_limit", `total_${key}`],
      message: `all sessions together may move ${formatSize(total)} a second, ` +
        `so that ${key}: ${formatSize(own)} limits none of them`,
    }));
  });
}

/** Far more workers than cores start slowly and are no faster. */
export function workerNotes(workers: CheckedConfig["workers"], cores: number): PathFault[] {
  if (workers === "auto" || workers <= SENSIBLE_WORKERS_A_CORE * cores) return [];
  const message =
    `this machine has ${cores} core${cores === 1 ? "" : "s"}; more workers than cores are no faster, ` +
    `and ${workers} of them take some ${workers * WORKER_MIB} MiB before the first session`;
  return [{ path: ["workers"], message }];
}

/** What has datagrams alone refuses every connection. */
function notesOnUdpPool({ healthCheck }: PoolConfig): PathFault[] {
  if (healthCheck === undefined || healthCheck.type === "udp" || healthCheck.port !== undefined) return [];
  const message =
    `type ${healthCheck.type} asks over TCP, at the port that has the datagrams of this pool; ` +
    "where nothing listens there over TCP, all backends are down; write the port that it is to ask, or type: udp";
  return [{ path: ["health_check", "type"], message }];
}

function notesOnPool(pool: PoolConfig): PathFault[] {
  const { backends, discover, healthCheck, outlierDetection, queue, slowStartMs } = pool;
  const notes: PathFault[] = [];
  // What is discovered may be of any kind and number.
  const isKnown = discover === undefined;

  if (isKnown && backends.every((it) => it.weight === 0)) {
    notes.push({ path: ["backends"], message: "all weights are 0, so no backend takes new sessions" });
  }
  if (isKnown && backends.every((it) => it.backup)) {
    notes.push({ path: ["backends"], message: "all backends are backups, so there is nothing to back up" });
  }
  if (isKnown && queue.size > 0 && backends.every((it) => it.maxConnections === 0)) {
    notes.push({
      path: ["queue", "size"],
      message: "no session ever waits, since no backend of this pool has max_connections",
    });
  }
  if (healthCheck !== undefined && healthCheck.timeoutMs > healthCheck.intervalMs) {
    const [timeout, interval] = [healthCheck.timeoutMs, healthCheck.intervalMs].map(formatDuration);
    notes.push({
      path: ["health_check", "timeout"],
      message: `${timeout} is longer than the interval of ${interval}; ` +
        "checks then follow one another without pause",
    });
  }
  const ejects = outlierDetection.consecutiveFailures > 0;
  const ejectable = Math.floor(backends.length * outlierDetection.maxEjectedPercent / 100);
  if (isKnown && ejects && ejectable === 0) {
    const count = `${backends.length} backend${backends.length === 1 ? "" : "s"}`;
    notes.push({
      path: ["outlier_detection", "max_ejected_percent"],
      message:
        `${outlierDetection.maxEjectedPercent} percent of ${count} is less than one; none is ever ejected`,
    });
  }
  if (isKnown && slowStartMs > 0 && healthCheck === undefined && !ejects) {
    notes.push({
      path: ["slow_start"],
      message: "no backend ever starts slowly, since nothing takes one down: " +
        "there is no health_check, and outlier_detection is off",
    });
  }
  return [...notes, ...sourceNotes(pool)];
}
