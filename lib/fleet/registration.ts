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

/** What is shown in terminals. */
const PLAIN = /^[\x20-\x7e]{1,200}$/;
const plain = z.string().regex(PLAIN);

const schema = z.object({
  address: plain,
  version: plain,
  digest: plain,
  run: plain,
  leaving: z.boolean().optional(),
});

export function formatRegistration({ address, version, digest, run, isLeaving }: Registration): string {
  return JSON.stringify({ address, version, digest, run, ...(isLeaving ? { leaving: true } : {}) });
}

/** @return Undefined for what no balancer has written. */
export function parseRegistration(name: string, value: string): Registration | undefined {
  try {
    if (!PLAIN.test(name)) return undefined;
    const { leaving = false, ...said } = schema.parse(JSON.parse(value));
    return { name, ...said, isLeaving: leaving };
  } catch {
    return undefined;
  }
}
