/**
 * What balancers agree on about one revision of their configuration, as keys of etcd. Pure.
 *
 * All stand beside the key of the configuration, so that one transaction can compare them with it:
 *
 *     KEY                                the configuration; the revision of its last change names the trial
 *     KEY.passed                         the last one that has passed, which balancers start with
 *     KEY.rollouts/REVISION/canaries/1   who tries it, by name; made if absent, and never changed
 *     KEY.rollouts/REVISION/trying/1     there as long as the canary is: under its lease, made with the one before and never again
 *     KEY.rollouts/REVISION/results/1    what it says at the end; made if absent, and only while `trying` is there
 *
 * So a verdict never changes: a canary that is lost cannot say anything any more, and one that has said something is not missed.
 */

import type { Values } from "../discovery/etcd_keys.ts";

/** A balancer that tries a configuration before the others. */
export interface Canary {
  /** From 1 on. */
  readonly slot: number;
  readonly name: string;
  /** Of its process. */
  readonly id: string;
  /** The revision since which it is there, as far as etcd knows; undefined: it is not. */
  readonly there: string | undefined;
  /** Undefined while it tries. */
  readonly result: Result | undefined;
}

/** {@linkcode PASSED}, or else why it has not, in one sentence. */
export type Result = string;

export const PASSED = "passed";

export type Verdict =
  /** There is no canary yet. */
  | { readonly is: "open" }
  | { readonly is: "trying" }
  | { readonly is: "passed" }
  | { readonly is: "failed"; readonly reason: string };

/** What the key of the configuration that has passed ends with. */
export const PASSED_SUFFIX = ".passed";

/** The keys beside that of a configuration. */
export function keysBeside(path: string): {
  readonly passed: string;
  /** What the keys of all trials begin with. */
  readonly rollouts: string;
  of(revision: string, what: "canaries" | "trying" | "results", slot: number): string;
} {
  const rollouts = `${path}.rollouts/`;
  return {
    passed: path + PASSED_SUFFIX,
    rollouts,
    of: (revision, what, slot) => `${rollouts}${revision}/${what}/${slot}`,
  };
}

/** Those that try a revision, or have tried it, by their slots. */
export function canariesOf(values: Values, path: string, revision: string): Canary[] {
  const keys = keysBeside(path);
  const canaries: Canary[] = [];
  for (let slot = 1;; slot++) {
    const made = values.get(keys.of(revision, "canaries", slot));
    if (made === undefined) return canaries;
    canaries.push({
      slot,
      ...readCanary(made.value),
      there: values.get(keys.of(revision, "trying", slot))?.revision,
      result: values.get(keys.of(revision, "results", slot))?.value,
    });
  }
}

/** All that have been there have to say that it is good; of several that do not, the first one counts. */
export function verdictOf(canaries: readonly Canary[]): Verdict {
  if (canaries.length === 0) return { is: "open" };
  for (const { name, there, result } of canaries) {
    if (result === undefined && there === undefined) {
      return { is: "failed", reason: `${name} was lost while it tried it` };
    }
    if (result !== undefined && result !== PASSED) return { is: "failed", reason: `${name}: ${result}` };
  }
  return { is: canaries.every(({ result }) => result === PASSED) ? "passed" : "trying" };
}

/** What came of a trial, in one word. */
export function resultOf({ there, result }: Canary): "trying" | "passed" | "failed" | "lost" {
  if (result === undefined) return there === undefined ? "lost" : "trying";
  return result === PASSED ? "passed" : "failed";
}

/** The slot that another canary could take; undefined when there are enough, or the first of them is done. */
export function freeSlot(canaries: readonly Canary[], wanted: number): number | undefined {
  const isOver = canaries.some(({ result, there }) => result !== undefined || there === undefined);
  return isOver || canaries.length >= wanted ? undefined : canaries.length + 1;
}

/** Keys of the trials of other revisions, which nothing asks for any more. */
export function oldKeys(values: Values, path: string, revision: string): string[] {
  const { rollouts } = keysBeside(path);
  return [...values.keys()].filter((key) =>
    key.startsWith(rollouts) && !key.startsWith(`${rollouts}${revision}/`)
  );
}

/** The value of the key of a canary. */
export function writeCanary({ name, id }: Pick<Canary, "name" | "id">): string {
  return JSON.stringify({ name, id });
}

function readCanary(value: string): Pick<Canary, "name" | "id"> {
  try {
    const { name, id } = JSON.parse(value);
    return { name: String(name), id: String(id) };
  } catch {
    return { name: "a canary", id: "" };
  }
}
