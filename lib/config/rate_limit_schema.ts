/** How fast the sessions of a listener may move bytes. */

import { z } from "zod";
import { InputError } from "../core/errors.ts";
import { parseSize } from "../core/size.ts";
import { refuse, section } from "./fields.ts";
import { SIZE_PATTERN } from "./patterns.ts";

const WANTED = "write bytes a second as 64KiB, 10MiB or 1GiB; 0: no limit";

/** Why a value is no rate; undefined when it is one. */
function whyRefused(input: unknown): string | undefined {
  if (input === 0) return undefined;
  if (typeof input === "number") {
    return input < 0
      ? `${input} is not a rate; it cannot be negative; ${WANTED}`
      : `${input} is not a rate; add the unit, as 10MiB (bytes a second)`;
  }
  if (typeof input !== "string") return refuse("a rate", WANTED).error({ input });
  try {
    if (parseSize(input) === 0) return `"${input}" is not a rate; write 0 for no limit`;
    return undefined;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.message.replace("is not a size", "is not a rate (bytes a second)");
  }
}

function byteRate(description: string): z.ZodType<number, number | string> {
  const error = ({ input }: { readonly input?: unknown }): string => whyRefused(input) ?? WANTED;
  const text = z.string({ error })
    .regex(new RegExp(SIZE_PATTERN), { error })
    .refine((it) => whyRefused(it) === undefined, { error });
  return z.union([z.literal(0), text], { error })
    .transform((it) => it === 0 ? 0 : parseSize(it))
    .meta({ title: "rate", description });
}

export const rateLimit = section("rate_limit", {
  in: byteRate("Of one session, from client to backend; 0 is no limit.").prefault(0),
  out: byteRate("Of one session, from backend to client.").prefault(0),
  total_in: byteRate("Of all sessions of the listener together, over all workers, from clients to backends.")
    .prefault(0),
  total_out: byteRate("Of all sessions of the listener together, from backends to clients.").prefault(0),
}, "write rate_limit: { in: 1MiB, out: 10MiB }")
  .transform((it) => ({ in: it.in, out: it.out, totalIn: it.total_in, totalOut: it.total_out }))
  .meta({ description: "How many bytes a second may be relayed; datagrams above that are dropped." })
  .prefault({});

export type RateLimitConfig = z.output<typeof rateLimit>;
