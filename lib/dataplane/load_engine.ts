import { RunError } from "../core/errors.ts";
import type { Confinement } from "../engine/confinement.ts";
import type { Engine } from "../engine/contract.ts";
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

/** Makes the engine for those whose connections it drives. */
export type MakeEngine = (served: { readonly size: number }) => ThreadEngine;

/**
 * Loads an engine. The other one stays out of this thread: what the runtime needs for TLS alone takes 20 ms and 4 MB.
 *
 * @param remembersLocal Whether the local address towards a backend is asked for after the session.
 */
export async function loadEngine(options: EngineOptions, remembersLocal: boolean): Promise<MakeEngine> {
  if (options.kind === "runtime") {
    const { RuntimeEngine } = await import("../engine/runtime/engine.ts");
    return (served) => ({ engine: new RuntimeEngine(served), ring: () => {}, confine: () => BY_RUNTIME });
  }
  const { EpollEngine } = await import("../engine/epoll/engine.ts");
  const { reach, isConfinementRequired } = options;
  return () => {
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
  };
}
