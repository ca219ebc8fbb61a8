/** A document with some of its values changed: JSON Merge Patch (RFC 7396), without the removal of keys. Pure. */

import { isMap } from "../config/loose.ts";

/** Maps are merged; every other value, a list among them, takes the place of the one before. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const merged = new Map(Object.entries(isMap(target) ? target : {}));
  for (const [key, value] of Object.entries(patch)) merged.set(key, mergePatch(merged.get(key), value));
  return Object.fromEntries(merged);
}
