/** What of a configuration an engine cannot do. Pure. */

import type { PathFault } from "./findings.ts";
import { type EngineChoice, type EngineName, ENGINES } from "./engine_names.ts";
import { DEFAULT_KEEPALIVE } from "./keepalive_schema.ts";
import { poolsOf } from "./listener_schema.ts";
import { asList, asMap } from "./loose.ts";
import type { CheckedConfig } from "./schema.ts";

/** Which engine runs a configuration that asks for this one; undefined when that is not known, and nothing is checked. */
export type EngineOf = (asked: EngineChoice) => EngineName | undefined;

/** Where nothing is run: auto may be either. */
export function engineAsked(asked: EngineChoice): EngineName | undefined {
  return asked === "auto" ? undefined : asked;
}

/** What cannot be done at all. Works on the plain document, as cross_checks.ts does. */
export function engineFaults(document: unknown, engineOf: EngineOf): PathFault[] {
  const { engine: asked = "auto", pools, confinement } = asMap(document);
  const choice = ENGINES.find((it) => it === asked);
  if (choice === undefined || engineOf(choice) !== "runtime") return [];
  const unconfined = "only the engine epoll (Linux, with --allow-ffi) is confined by the kernel; " +
    "write best_effort, or use that engine";
  const faults: PathFault[] = confinement === "required"
    ? [{ path: ["confinement"], message: unconfined }]
    : [];
  const sources = Object.entries(asMap(pools)).flatMap(([name, pool]) => {
    if (asList(asMap(pool).source).length === 0) return [];
    const message = "the engine runtime cannot choose the local address of a dial; " +
      "use the engine epoll (Linux, with --allow-ffi), or leave source out";
    return [{ path: ["pools", name, "source"], message }];
  });
  return [...faults, ...sources];
}

/** Whether a configuration that leaves the choice open can run with epoll alone. */
export function needsEpoll({ confinement, pools }: CheckedConfig): boolean {
  return confinement === "required" || Object.values(pools).some(({ source }) => source.length > 0);
}

/** What is never confined by the kernel: TLS is the runtime's, and so are the workers that open it. */
export function confinementFaults({ confinement, listeners, pools }: CheckedConfig): PathFault[] {
  if (confinement !== "required") return [];
  const whyNot = (what: string): string =>
    `the kernel does not confine workers that open TLS, and this listener ${what}; write confinement: best_effort`;
  return listeners.flatMap((listener, i) => {
    if (listener.tls !== undefined) return [{ path: ["listeners", i, "tls"], message: whyNot("opens it") }];
    const pool = poolsOf(listener).find((name) => pools[name]?.tls !== undefined);
    if (pool === undefined) return [];
    return [{ path: ["listeners", i], message: whyNot(`has a pool with tls (${pool})`) }];
  });
}

/** What is done otherwise than it is written. */
export function engineNotes({ listeners }: CheckedConfig, engine: EngineName | undefined): PathFault[] {
  if (engine !== "runtime") return [];
  return listeners.flatMap(({ keepalive, listen }, i) => {
    const isDefault = Object.entries(DEFAULT_KEEPALIVE).every(([key, value]) => {
      return keepalive[key as keyof typeof keepalive] === value;
    });
    if (isDefault || keepalive.idleMs === 0 || listen.transport === "unix") return [];
    const message =
      "not in force: the engine runtime can only switch probes on, with the times of the system; " +
      "engine: epoll has them as they are written";
    return [{ path: ["listeners", i, "keepalive"], message }];
  });
}
