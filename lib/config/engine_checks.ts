/** What of a configuration an engine cannot do. Pure. */

import type { PathFault } from "./cross_checks.ts";
import type { EngineChoice, EngineName } from "./engine_names.ts";
import { DEFAULT_KEEPALIVE } from "./keepalive_schema.ts";
import type { CheckedConfig } from "./schema.ts";

/** Which engine runs a configuration that asks for this one; undefined when that is not known, and nothing is checked. */
export type EngineOf = (asked: EngineChoice) => EngineName | undefined;

/** Where nothing is run: auto may be either. */
export function engineAsked(asked: EngineChoice): EngineName | undefined {
  return asked === "auto" ? undefined : asked;
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
