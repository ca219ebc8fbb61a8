/** What keeps a configuration short: defaults of listeners and pools, and other files. */

import { z } from "zod";
import { filePath, refuse, section } from "./fields.ts";
import { listener } from "./listener_schema.ts";
import { pool } from "./pool_schema.ts";

/** Without what each has for itself. */
const listenerKeys = without(listener.in.shape, ["name", "listen"]);
const poolKeys = without(pool.in.shape, ["backends"]);

/** The keys that a listener, or a pool, may have by default. */
export const LISTENER_DEFAULTS: ReadonlySet<string> = new Set(Object.keys(listenerKeys));
export const POOL_DEFAULTS: ReadonlySet<string> = new Set(Object.keys(poolKeys));

/** The keys of a file that another one includes. */
export const INCLUDED_KEYS: readonly string[] = ["listeners", "pools", "include"];

/** A listener or pool that has a key has all of its value: maps within are not joined. */
export const defaults = section("defaults", {
  listener: section("a listener", listenerKeys).meta({
    title: "keys of a listener",
    description:
      "What listeners have that do not say it themselves: every key of a listener but name and listen.",
  }).optional(),
  pool: section("a pool", poolKeys).meta({
    title: "keys of a pool",
    description: "What pools have that do not say it themselves: every key of a pool but backends.",
  }).optional(),
});

/** Paths and patterns of other files. */
export const include = z.array(
  filePath("The path of a file, or a pattern with * and ?."),
  refuse("a list", "list files, as - pools.d/*.yaml"),
);

function without(shape: z.core.$ZodShape, own: readonly string[]): z.core.$ZodShape {
  return Object.fromEntries(
    Object.entries(shape).filter(([key]) => !own.includes(key)).map(([key, it]) => [key, z.optional(it)]),
  );
}
