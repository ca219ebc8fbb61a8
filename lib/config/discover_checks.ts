/** What no single value of `discover` can know: which keys go together. Works on the plain document, as cross_checks.ts does. */

import { SOURCE_KEYS } from "./discover_schema.ts";
import { etcdFaults } from "./etcd_checks.ts";
import type { Path } from "./place.ts";
import type { PathFault } from "./findings.ts";
import { asList, asMap, isMap } from "./loose.ts";

/** Keys that belong to some sources alone. */
const OWNERS: Record<string, readonly string[]> = {
  port: ["dns"],
  resolver: ["dns", "srv"],
  refresh: ["dns", "srv", "http"],
  ca: ["http"],
};

/** @param path Where the pool stands. */
export function discoverFaults(pool: Record<string, unknown>, path: Path): PathFault[] {
  const { discover, backends } = pool;
  if (discover === undefined) return backendFaults(backends, [...path, "backends"]);
  if (!isMap(discover)) return [];
  const at = [...path, "discover"];
  const sources = Object.keys(discover).filter((key) => SOURCE_KEYS.some((it) => it === key));
  const [source] = sources;
  if (source === undefined) {
    return [{ path: at, message: `missing; name one source: ${SOURCE_KEYS.join(", ")}` }];
  }
  const faults = sources.slice(1).map((key): PathFault => {
    const message = `a pool has one source, and this one has ${source} already; leave one of them out`;
    return { path: [...at, key], message, atKey: true };
  });
  if (faults.length > 0) return faults;
  return [
    ...strayFaults(discover, source, at),
    ...(source === "dns" && !("port" in discover)
      ? [{ path: [...at, "port"], message: "missing; dns needs the port of its backends" }]
      : []),
    ...etcdFaults(asMap(discover.etcd), [...at, "etcd"]),
  ];
}

/** A pool needs backends from somewhere. */
function backendFaults(backends: unknown, path: Path): PathFault[] {
  const example = "as - 127.0.0.1:8001";
  if (backends === undefined) {
    return [{ path, message: `missing; list the backends, ${example}` }];
  }
  const isEmpty = Array.isArray(backends) && asList(backends).length === 0;
  return isEmpty ? [{ path, message: `empty; list at least one backend, ${example}` }] : [];
}

function strayFaults(discover: Record<string, unknown>, source: string, path: Path): PathFault[] {
  return Object.entries(OWNERS).flatMap(([key, owners]) => {
    if (!(key in discover) || owners.includes(source)) return [];
    const message = `${key} belongs to ${owners.join(" and ")}; this pool has ${source}`;
    return [{ path: [...path, key], message, atKey: true }];
  });
}
