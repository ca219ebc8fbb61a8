/** What a balancer says of itself to the others: the value of its key. Pure. */

import { z } from "zod";

export interface Registration {
  /** Unlike that of all others. */
  readonly name: string;
  /** Where its page is, as `10.0.0.2:9901`. */
  readonly address: string;
  readonly version: string;
  /** Of the configuration in force. */
  readonly digest: string;
  /** Another one after each start, by which a balancer knows its own key. */
  readonly run: string;
  /** Whether it stops, as it was told to. */
  readonly isLeaving: boolean;
}

const schema = z.object({
  address: z.string(),
  version: z.string(),
  digest: z.string(),
  run: z.string(),
  leaving: z.boolean().optional(),
});

export function formatRegistration({ address, version, digest, run, isLeaving }: Registration): string {
  return JSON.stringify({ address, version, digest, run, ...(isLeaving ? { leaving: true } : {}) });
}

/** @return Undefined for what no balancer has written. */
export function parseRegistration(name: string, value: string): Registration | undefined {
  try {
    const { leaving = false, ...said } = schema.parse(JSON.parse(value));
    return { name, ...said, isLeaving: leaving };
  } catch {
    return undefined;
  }
}
