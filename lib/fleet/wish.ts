/** What the operator wants of a backend, as a key of etcd says it: one key for its state, and one for its weight. Pure. */

import { z } from "zod";

/** Whether a backend takes sessions. */
export interface WantedState {
  readonly state: "enabled" | "draining" | "disabled";
  /** Of a drain: after how long the sessions that are left are ended. */
  readonly deadlineMs?: number | undefined;
}

export interface WantedWeight {
  readonly weight: number;
  /** What the configuration said when it was given. It holds for as long as that is said. */
  readonly over: number;
}

/** The two do not touch each other: one can be given here and the other there. */
export type Wanted = WantedState | WantedWeight;

export interface SharedWish {
  readonly wanted: Wanted;
  /** The name of the balancer that it was given to. */
  readonly by: string;
  /** When, in milliseconds since 1970; later than every wish that was known there by then, whatever the clock says. */
  readonly atMs: number;
}

/** Whom and what a wish is about. */
export interface WishTopic {
  readonly pool: string;
  readonly backend: string;
  readonly what: "state" | "weight";
}

const at = z.iso.datetime().optional();
const by = z.string().optional();
const wishSchema = z.union([
  z.strictObject({
    state: z.enum(["enabled", "draining", "disabled"]),
    deadline_ms: z.int().min(0).optional(),
    by,
    at,
  }),
  z.strictObject({ weight: z.int().min(0).max(256), over: z.int().min(0).max(256), by, at }),
]);

/** What a wish is about. */
export function whatOf(wanted: Wanted): WishTopic["what"] {
  return "state" in wanted ? "state" : "weight";
}

/** The end of its key, below the prefix of all wishes. */
export function keyOfTopic({ pool, backend, what }: WishTopic): string {
  return `${encodeURIComponent(pool)}/${encodeURIComponent(backend)}/${what}`;
}

/** @return Undefined for what is no key of a wish. */
export function topicOfKey(key: string): WishTopic | undefined {
  const [, pool, backend, what] = /^([^/]+)\/([^/]+)\/(state|weight)$/.exec(key) ?? [];
  try {
    if (pool === undefined || backend === undefined) return undefined;
    return {
      pool: decodeURIComponent(pool),
      backend: decodeURIComponent(backend),
      what: what === "state" ? "state" : "weight",
    };
  } catch {
    return undefined;
  }
}

export function formatWish({ wanted, by, atMs }: SharedWish): string {
  const said = "state" in wanted
    ? { state: wanted.state, deadline_ms: wanted.deadlineMs }
    : { weight: wanted.weight, over: wanted.over };
  return JSON.stringify({ ...said, by, at: new Date(atMs).toISOString() });
}

/** Reads the value of a key. @return Undefined for what is no wish about that; it counts as none. */
export function parseWish(value: string, { what }: Pick<WishTopic, "what">): SharedWish | undefined {
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    return undefined;
  }
  const { data } = wishSchema.safeParse(json);
  if (data === undefined) return undefined;
  const wanted: Wanted = "state" in data
    ? { state: data.state, ...(data.deadline_ms === undefined ? {} : { deadlineMs: data.deadline_ms }) }
    : { weight: data.weight, over: data.over };
  if (whatOf(wanted) !== what) return undefined;
  // One that was put by hand may say neither.
  return { wanted, by: data.by ?? "", atMs: data.at === undefined ? 0 : Date.parse(data.at) };
}
