/** What is wrong with a server of a plan: the values are those of the flags of the server role. */

import { z } from "zod";
import { choice, count, duration, parsed, refuse, section } from "../config/fields.ts";
import {
  FAIL_WAYS,
  formatDelay,
  formatFlap,
  MAX_CLOSE_AFTER,
  MAX_SEED,
  type Misbehaviour,
  parseDelay,
  parseRate,
  parseShare,
} from "../core/misbehaviour.ts";
import { formatSize } from "../core/size.ts";

/** `off` undoes what has no other word for that. It comes last in a union, so that it is not taken for what was meant. */
function off(thing: string, wanted: string): z.ZodLiteral<"off"> {
  return z.literal("off", refuse(thing, wanted));
}

const flap = section("flap", {
  up: duration("How long it can be reached.", 1),
  down: duration("How long it cannot.", 1),
}, "write it as { up: 1s, down: 500ms }").transform(({ up, down }) => ({ upMs: up, downMs: down }));

const failRate = z.union([
  count(0, 1, "Which part of the connections fails."),
  parsed(parseShare, refuse("a number from 0 to 1", "write 0.1 for one in ten")),
], refuse("a number from 0 to 1", "write 0.1 for one in ten"));

/** Keys of a server, and of an event that changes one. */
export const misbehaviourKeys = {
  delay: parsed(
    (text) => text === "off" ? undefined : parseDelay(text),
    refuse("a delay", "write 10ms, 10ms..50ms or p99=200ms"),
  ).optional(),
  fail_rate: failRate.optional(),
  fail_how: choice("way to fail", FAIL_WAYS, "How they do so.").optional(),
  limit_rate: parsed(
    (text) => text === "off" ? 0 : parseRate(text),
    refuse("a rate", "write how much a second, as 64KiB"),
  ).optional(),
  close_after: z.union([
    count(1, MAX_CLOSE_AFTER, "Answers after which a connection is closed."),
    off("a number of answers", "write 1 or more, or off").transform(() => 0),
  ]).optional(),
  flap: z.union([
    flap,
    off("how a server flaps", "write { up: 1s, down: 500ms }, or off").transform(() => undefined),
  ]).optional(),
  seed: count(0, MAX_SEED, "What chance begins with.").optional(),
};

type Written = z.output<z.ZodObject<typeof misbehaviourKeys>>;

/** What of these keys is written; the others are no part of it. */
export function misbehaviourOf(written: Written): Partial<Misbehaviour> {
  const { fail_rate: failRate, fail_how: failHow, limit_rate, close_after, seed } = written;
  return {
    ...("delay" in written ? { delay: written.delay } : {}),
    ...(failRate === undefined ? {} : { failRate }),
    ...(failHow === undefined ? {} : { failHow }),
    ...(limit_rate === undefined ? {} : { bytesPerSecond: limit_rate }),
    ...(close_after === undefined ? {} : { closeAfter: close_after }),
    ...("flap" in written ? { flap: written.flap } : {}),
    ...(seed === undefined ? {} : { seed }),
  };
}

/** What is changed, as a timeline says it: `delay 50ms, fail_rate 0.1`. */
export function describeChange(change: Partial<Misbehaviour>): string {
  const { delay, failRate, failHow, bytesPerSecond, closeAfter, flap, seed } = change;
  return [
    ..."delay" in change ? [`delay ${delay === undefined ? "off" : formatDelay(delay)}`] : [],
    ...failRate === undefined ? [] : [`fail_rate ${failRate}`],
    ...failHow === undefined ? [] : [`fail_how ${failHow}`],
    ...bytesPerSecond === undefined
      ? []
      : [`limit_rate ${bytesPerSecond === 0 ? "off" : formatSize(bytesPerSecond)}`],
    ...closeAfter === undefined ? [] : [`close_after ${closeAfter === 0 ? "off" : closeAfter}`],
    ..."flap" in change ? [`flap ${flap === undefined ? "off" : formatFlap(flap)}`] : [],
    ...seed === undefined ? [] : [`seed ${seed}`],
  ].join(", ");
}
