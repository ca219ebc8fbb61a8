/** The flags with which a server misbehaves on purpose. */

import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional } from "@optique/core/modifiers";
import type { InferValue } from "@optique/core/parser";
import { option } from "@optique/core/primitives";
import { InputError } from "../core/errors.ts";
import { FAIL_WAYS, GOOD, MAX_CLOSE_AFTER, type Misbehaviour } from "../core/misbehaviour.ts";
import { byteRate, count, delay, flap, oneOf, seed, share } from "./values.ts";

export const misbehaviourFlags = object("Misbehaviour, on purpose", {
  delay: optional(option("--delay", delay(), {
    description: message`Answer so much later: 10ms, 10ms..50ms, or p99=200ms, within which 99 of 100 are.`,
  })),
  failRate: optional(option("--fail-rate", share(), {
    description: message`The share of connections that fail, as 0.1 (0).`,
  })),
  failHow: optional(option("--fail-how", oneOf("HOW", FAIL_WAYS), {
    description:
      message`How they do: refuse, reset, close-early, hang, garbage, slow-read or slow-write (reset; with UDP hang).`,
  })),
  bytesPerSecond: optional(option("--limit-rate", byteRate(), {
    description: message`Send each connection at most so much a second, as 1MiB.`,
  })),
  closeAfter: optional(option("--close-after", count(1, MAX_CLOSE_AFTER), {
    description: message`Close each connection after so many answers.`,
  })),
  flap: optional(option("--flap", flap(), {
    description: message`Listen, and be gone, in turn: up=10s,down=5s.`,
  })),
  seed: optional(option("--seed", seed(), {
    description: message`What chance begins with: with the same one a run repeats (1).`,
  })),
});

export type MisbehaviourFlags = InferValue<typeof misbehaviourFlags>;

/** @throws {InputError} for another engine than the one that can misbehave. */
export function checkMisbehaviour(
  { engine, misbehaviour }: { readonly engine: string; readonly misbehaviour: MisbehaviourFlags },
): void {
  if (engine !== "epoll" || misbehaviourOf(misbehaviour, false) === undefined) return;
  throw new InputError("a server misbehaves with the engine runtime alone; leave --engine out");
}

/** What these flags may say but probably do not mean. */
export function misbehaviourNotes({ failHow, failRate }: MisbehaviourFlags): string[] {
  if (failHow === undefined || failRate !== undefined) return [];
  return [`--fail-how ${failHow} without --fail-rate: nothing fails until a line on stdin says fail-rate`];
}

/** What these flags ask for; undefined where none is given. */
export function misbehaviourOf(flags: MisbehaviourFlags, isUdp: boolean): Misbehaviour | undefined {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  if (given.length === 0) return undefined;
  // Of the ways to fail, not to answer is the one that datagrams have of themselves.
  return { ...GOOD, ...(isUdp ? { failHow: "hang" } : {}), ...Object.fromEntries(given) };
}
