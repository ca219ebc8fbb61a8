/** What is asked of the confinement of workers, and what is said of it. Pure. */

import { RunError } from "../core/errors.ts";
import type { Confinement, Reach } from "../engine/confinement.ts";
import type { Permitted } from "./permissions.ts";

/** What a worker dials, for the engine that is confined by it. */
export function reachOf({ listens, dials, subnets, mayBind = false }: Permitted): Reach {
  const ports = new Set<number>();
  for (const address of dials) {
    if (address.transport === "tcp") ports.add(address.port);
  }
  for (const { port } of subnets) {
    if (port !== undefined) ports.add(port);
  }
  return {
    hasDatagrams: listens.some(({ transport }) => transport === "udp"),
    ports: subnets.some(({ port }) => port === undefined) ? "any" : [...ports],
    mayDialUnix: dials.some(({ transport }) => transport === "unix"),
    mayBind,
  };
}

/**
 * Makes sure that an engine is confined by the kernel where that is required.
 *
 * @throws {RunError} when it never is.
 */
export function checkConfinement(
  engine: "runtime" | "epoll",
  confinement: "best_effort" | "required",
): void {
  if (confinement === "best_effort" || engine === "epoll") return;
  throw new RunError(
    "cannot confine the workers as the configuration requires: only the engine epoll is confined by the kernel, and the engine " +
      "is runtime (epoll needs Linux and --allow-ffi)",
  );
}

/** As in the record `ready`. */
export interface ConfinementFields {
  /** What confines every worker, as `landlock,seccomp`; `none`. */
  readonly confined: string;
  /** Why it is no more. */
  readonly not_confined_by?: string;
}

/** What holds for all of several workers, as fields of a record. Beside some that the kernel confines, those that open TLS are told apart. */
export function confinementFields(all: readonly Confinement[]): ConfinementFields {
  const byKernel = all.filter(({ by }) => !by.includes("permissions"));
  if (byKernel.length > 0 && byKernel.length < all.length) {
    const { confined, not_confined_by: missing } = confinementFields(byKernel);
    const others = "workers that open TLS have the permissions of the runtime alone";
    return { confined, not_confined_by: missing === undefined ? others : `${missing}; ${others}` };
  }
  const [first, ...others] = all;
  const by = first?.by.filter((it) => others.every((other) => other.by.includes(it))) ?? [];
  const missing = all.find((it) => it.missing !== undefined)?.missing;
  return {
    confined: by.length === 0 ? "none" : by.join(","),
    ...(missing === undefined ? {} : { not_confined_by: missing }),
  };
}
