/** Relative paths of a file in one folder, as they are written in another. */

import { isAbsolute, join, relative } from "node:path";
import type { Path } from "./place.ts";
import { isOfKind } from "./value_kinds.ts";

const UNIX = "unix:";

/**
 * The same value with its relative paths, of files and of Unix sockets, from `base` instead of from `folder`.
 *
 * @param path Where the value stands in a configuration.
 */
export function rebased(value: unknown, path: Path, folder: string, base: string): unknown {
  if (Array.isArray(value)) return value.map((it, i) => rebased(it, [...path, i], folder, base));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, it]) => [key, rebased(it, [...path, key], folder, base)]),
    );
  }
  if (typeof value !== "string") return value;
  if (value.startsWith(UNIX) && isOfKind(path, "address")) {
    const file = value.slice(UNIX.length);
    return isRelative(file) ? UNIX + moved(file, folder, base) : value;
  }
  return isRelative(value) && isOfKind(path, "path") ? moved(value, folder, base) : value;
}

/** An abstract socket is no path, and refused as it is. */
function isRelative(path: string): boolean {
  return path !== "" && !isAbsolute(path) && !path.startsWith("@");
}

function moved(path: string, folder: string, base: string): string {
  return isAbsolute(folder) ? join(folder, path) : relative(base, join(folder, path));
}
