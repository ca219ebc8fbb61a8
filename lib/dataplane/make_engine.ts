import { RunError } from "../core/errors.ts";
import type { Confinement } from "../engine/confinement.ts";
import type { Engine } from "../engine/contract.ts";
import { EpollEngine } from "../engine/epoll/engine.ts";
import { RuntimeEngine } from "../engine/runtime/engine.ts";
import type { EngineOptions } from "./messages.ts";

/** An engine for this thread. */
export interface ThreadEngine {
  readonly engine: Engine;
  /** Wakes the other threads, which may be asleep where they hear of nothing. */
  readonly ring: () => void;
  /**
   * Confines this thread, for good. Call it when it listens, before it serves.
   *
   * @throws {RunError} when the kernel lacks a part of it that is required.
   */
  readonly confine: () => Confinement;
}

/** What the runtime does to each worker from its start. */
const BY_RUNTIME: Confinement = { by: ["permissions"], missing: undefined };

/**
 * @param served Those whose connections it drives.
 * @param remembersLocal Whether the local address towards a backend is asked for after the session.
 */
export function makeEngine(
  options: EngineOptions,
  served: { readonly size: number },
  remembersLocal: boolean,
): ThreadEngine {
  if (options.kind === "runtime") {
    return { engine: new RuntimeEngine(served), ring: () => {}, confine: () => BY_RUNTIME };
  }
  const { reach, isConfinementRequired } = options;
  const engine = new EpollEngine({ ...options, remembersLocal });
  return {
    engine,
    ring: () => engine.ring(),
    confine: () => {
      const confinement = engine.confine(reach);
      if (!isConfinementRequired || confinement.missing === undefined) return confinement;
      throw new RunError(`cannot confine a worker as the configuration requires: ${confinement.missing}`);
    },
  };
}
