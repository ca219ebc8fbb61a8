/** The configuration in force as the file would say it: snake_case, addresses and durations as people write them. */

import type { Config } from "../config/schema.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { formatDuration } from "../core/duration.ts";

/** What `GET /api/config` answers. It holds no secret: a token stands in a file of its own, of which only the path is shown. */
export function shownConfig({ notes: _, pools, ...config }: Config): unknown {
  // The names of pools are the user's own.
  const shownPools = Object.entries(pools).map(([name, pool]) => [name, shown(pool)]);
  return { ...shown(config) as Record<string, unknown>, pools: Object.fromEntries(shownPools) };
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return value;
  if ("transport" in value) return formatAddress(value as Address);
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [snakeCase(key), shownMember(key, it)]));
}

function shownMember(key: string, value: unknown): unknown {
  return key.endsWith("Ms") && typeof value === "number" ? formatDuration(value) : shown(value);
}

/** `dialTimeoutMs` is `dial_timeout` in the file. */
function snakeCase(key: string): string {
  return key.replace(/Ms$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
