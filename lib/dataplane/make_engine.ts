import type { Engine } from "../engine/contract.ts";
import { EpollEngine } from "../engine/epoll/engine.ts";
import { RuntimeEngine } from "../engine/runtime/engine.ts";
import type { EngineOptions } from "./messages.ts";

/** An engine for this thread. */
export interface ThreadEngine {
  readonly engine: Engine;
  /** Wakes the other threads, which may be asleep where they hear of nothing. */
  readonly ring: () => void;
}

/**
 * @param served Those whose connections it drives.
 * @param remembersLocal Whether the local address towards a backend is asked for after the session.
 */
export function makeEngine(
  options: EngineOptions,
  served: { readonly size: number },
  remembersLocal: boolean,
): ThreadEngine {
  if (options.kind === "runtime") return { engine: new RuntimeEngine(served), ring: () => {} };
  const engine = new EpollEngine({ ...options, remembersLocal });
  return { engine, ring: () => engine.ring() };
}
