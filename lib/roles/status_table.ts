/** The state of a balancer as text: pure. */

import type { Status } from "../admin/operations.ts";

type Row = readonly string[];

/** Columns of numbers are flush right. */
const NUMERIC = /^-?[\d.,]+( ?(s|ms|%|[KMGT]?i?B))?$/;

/** The whole state as a few tables. */
export function statusTable(status: Status): string {
  const { version, uptime_s, generation, config, ready, listeners, pools } = status;
  const head = `sockbal ${version}, up for ${span(uptime_s)}, generation ${generation}, ${config}, ${
    ready ? "ready" : "NOT READY: a pool has no backend"
  }\n`;
  const listenerRows: Row[] = [
    ["LISTENER", "ADDRESS", "POOL", "ACTIVE", "SESSIONS", "IN", "OUT"],
    ...listeners.map((it) => [
      it.name,
      it.address,
      it.pool,
      limited(it.active, it.max_connections),
      String(it.sessions_total),
      bytes(it.bytes_in),
      bytes(it.bytes_out),
    ]),
  ];
  const backendRows: Row[] = [
    ["POOL", "BACKEND", "STATE", "WEIGHT", "ACTIVE", "SESSIONS", "FAILED", "IN", "OUT", "WHY"],
    ...pools.flatMap((pool) =>
      pool.backends.map((it) => [
        pool.name,
        it.name + (it.backup ? " (backup)" : ""),
        it.state,
        it.effective_weight === it.weight ? String(it.weight) : `${it.effective_weight} of ${it.weight}`,
        limited(it.active, it.max_connections),
        String(it.sessions_total),
        String(it.dial_failures_total),
        bytes(it.bytes_in),
        bytes(it.bytes_out),
        it.state === "up" ? "" : it.reason,
      ])
    ),
  ];
  const queues = pools.filter((pool) => pool.queue_size > 0)
    .map((pool) => `\n${pool.name}: ${pool.queued} of ${pool.queue_size} wait in the queue`);
  return `${head}\n${table(listenerRows)}\n${table(backendRows)}${queues.join("")}${
    queues.length > 0 ? "\n" : ""
  }`;
}

function table(rows: readonly Row[]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  const lines = rows.map((row) => {
    return row.map((cell, i) => {
      return NUMERIC.test(cell) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0);
    }).join("  ").trimEnd();
  });
  return lines.join("\n") + "\n";
}

function limited(count: number, limit: number): string {
  return limit === 0 ? String(count) : `${count} of ${limit}`;
}

function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function span(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`;
}
