/** Which backends may be picked, from all that is known about them. Pure. */

import type { BackendFacts } from "./scoreboard.ts";

/** What a pool does when none of its backends is healthy. */
export const WHEN_ALL_DOWN = ["refuse", "ignore_health"] as const;
export type WhenAllDown = typeof WHEN_ALL_DOWN[number];

export interface Known {
  readonly facts: BackendFacts;
  /** Whether it is picked only when no other can be. */
  readonly isBackup: boolean;
  /** Set when it has no address, so that nothing can make it available. */
  readonly unresolved?: string | undefined;
}

/** Positions of the backends that may be picked, and of those that may be when none of these can. */
export interface Available {
  readonly primaries: readonly number[];
  readonly backups: readonly number[];
}

/**
 * Combines health, ejection, the operator's wish and weight into who may be picked.
 *
 * With `ignore_health`, when health leaves no backend, it is as if every check had succeeded; what the operator wants holds
 * all the same.
 */
export function availableOf(backends: readonly Known[], whenAllDown: WhenAllDown): Available {
  const healthy = tiersOf(backends, isHealthy);
  if (whenAllDown === "refuse" || healthy.primaries.length + healthy.backups.length > 0) return healthy;
  return tiersOf(backends, () => true);
}

/** The weight that counts, in hundredths. */
export function weightOf({ weight, rampPercent }: BackendFacts): number {
  return weight * rampPercent;
}

/** What a backend is called in one word, the strongest reason first. */
export function stateOf(facts: BackendFacts): "disabled" | "draining" | "down" | "ejected" | "up" {
  if (facts.operator !== "enabled") return facts.operator;
  if (!facts.isUp) return "down";
  return facts.isEjected ? "ejected" : "up";
}

function isHealthy(facts: BackendFacts): boolean {
  return facts.isUp && !facts.isEjected;
}

function tiersOf(backends: readonly Known[], isAllowed: (facts: BackendFacts) => boolean): Available {
  const primaries: number[] = [];
  const backups: number[] = [];
  backends.forEach(({ facts, isBackup, unresolved }, i) => {
    if (unresolved !== undefined) return;
    if (facts.operator !== "enabled" || weightOf(facts) === 0 || !isAllowed(facts)) return;
    (isBackup ? backups : primaries).push(i);
  });
  return { primaries, backups };
}
