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
const stateSchema = z.strictObject({
  state: z.enum(["enabled", "draining", "disabled"]),
  deadline_ms: z.int().min(0).optional(),
  by,
  at,
});
const weight = z.int().min(0).max(256);
const weightSchema = z.strictObject({ weight, over: weight, by, at });

const WHY_NO_STATE =
  'write {"state": "draining"}, or disabled, or enabled, and nothing else but deadline_ms, by and at';
const WHY_NO_WEIGHT =
  'write {"weight": 5, "over": 1}, of which "over" is the configured weight, both from 0 to 256, and nothing else but by and at';
const WHY_NO_KEY = "no key of a wish: that is POOL/BACKEND/state or POOL/BACKEND/weight";

/** What a wish is about. */
export function whatOf(wanted: Wanted): WishTopic["what"] {
  return "state" in wanted ? "state" : "weight";
}

/** The end of its key, below the prefix of all wishes. */
export function keyOfTopic({ pool, backend, what }: WishTopic): string {
  return `${encodeURIComponent(pool)}/${encodeURIComponent(backend)}/${what}`;
}

/** @return A sentence for what is no key of a wish. */
export function topicOfKey(key: string): WishTopic | string {
  const [, pool, backend, what] = /^([^/]+)\/([^/]+)\/(state|weight)$/.exec(key) ?? [];
  if (pool === undefined || backend === undefined) return WHY_NO_KEY;
  try {
    const topic: WishTopic = {
      pool: decodeURIComponent(pool),
      backend: decodeURIComponent(backend),
      what: what === "state" ? "state" : "weight",
    };
    // Under two keys there would be two wishes about the same.
    const meant = keyOfTopic(topic);
    return meant === key ? topic : `write the key as ${meant}`;
  } catch {
    return `${WHY_NO_KEY}, each percent-encoded`;
  }
}

export function formatWish({ wanted, by, atMs }: SharedWish): string {
  const said = "state" in wanted
    ? { state: wanted.state, deadline_ms: wanted.deadlineMs }
    : { weight: wanted.weight, over: wanted.over };
  return JSON.stringify({ ...said, by, at: new Date(atMs).toISOString() });
}

/** Reads the value of a key. @return A sentence for what is no wish about that; it counts as none. */
export function parseWish(value: string, { what }: Pick<WishTopic, "what">): SharedWish | string {
  const why = what === "state" ? WHY_NO_STATE : WHY_NO_WEIGHT;
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    return why;
  }
  const { data } = (what === "state" ? stateSchema : weightSchema).safeParse(json);
  if (data === undefined) return why;
  const wanted: Wanted = "state" in data
    ? { state: data.state, ...(data.deadline_ms === undefined ? {} : { deadlineMs: data.deadline_ms }) }
    : { weight: data.weight, over: data.over };
  // One that was put by hand may say neither.
  return { wanted, by: data.by ?? "", atMs: data.at === undefined ? 0 : Date.parse(data.at) };
}
