/**
 * The configuration in force as the file would say it: snake_case, addresses and durations as people write them.
 *
 * As JSON, which is YAML, it can be saved and read back, and means the same.
 */

import { isName } from "../config/fields.ts";
import type { ListenerConfig } from "../config/listener_schema.ts";
import type { RateLimitConfig } from "../config/rate_limit_schema.ts";
import { KEYS_OF_CONNECTIONS } from "../config/udp_checks.ts";
import type { PoolConfig } from "../config/pool_schema.ts";
import type { Config, Hidden } from "../config/schema.ts";
import { escaped } from "../config/variables.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { formatDuration } from "../core/duration.ts";
import { formatIPRange } from "../core/ip_range.ts";
import { formatSize } from "../core/size.ts";
import { formatSubnet } from "../core/subnet.ts";

/**
 * What `GET /api/config` answers, with all files and defaults in it. It holds no secret: tokens and private keys stand in files of
 * their own, of which only the paths are shown; and a free text that comes from the environment is shown as `${NAME}`.
 */
export function shownConfig({ notes: _, hidden = [], listeners, pools, admin, ...config }: Config): unknown {
  // The names of pools are the user's own.
  const shownPools = Object.entries(pools).map(([name, pool]) => [name, shownPool(pool)]);
  const whole = {
    listeners: listeners.map(shownListener),
    pools: Object.fromEntries(shownPools),
    ...shown(config) as Record<string, unknown>,
    admin: admin === undefined
      ? undefined
      : { ...shown(admin) as Record<string, unknown>, ...shownMode(admin) },
  };
  for (const it of hidden) hide(whole, it);
  return whole;
}

/** Puts what is written in the place of what it stands for, if that is shown at all. */
function hide(whole: unknown, { path, written }: Hidden): void {
  const key = path.at(-1);
  const parent = path.slice(0, -1).reduce<unknown>((it, step) => {
    return typeof it === "object" && it !== null ? (it as Record<string | number, unknown>)[step] : undefined;
  }, whole);
  if (key === undefined || typeof parent !== "object" || parent === null || !(key in parent)) return;
  (parent as Record<string | number, unknown>)[key] = written;
}

/** As a file says it, where YAML would read another number. */
function shownMode({ mode }: { readonly mode?: number | undefined }): { readonly mode?: string } {
  return mode === undefined ? {} : { mode: mode.toString(8).padStart(4, "0") };
}

function shownListener(
  { proxyProtocol, allow, deny, rateLimit, flows, ...listener }: ListenerConfig,
): unknown {
  const from = proxyProtocol?.from.map((source) => source === "unix" ? source : formatIPRange(source));
  const all = Object.entries(shown({ ...listener, ...flows }) as Record<string, unknown>);
  return {
    // Those have a value here as well, but a file may not say it.
    ...Object.fromEntries(all.filter(([key]) => flows === undefined || !KEYS_OF_CONNECTIONS.includes(key))),
    allow: allow.map(formatIPRange),
    deny: deny.map(formatIPRange),
    ...shownMode(listener),
    rate_limit: shownRates(rateLimit),
    proxy_protocol: from === undefined ? undefined : { from },
  };
}

function shownRates({ totalIn, totalOut, ...own }: RateLimitConfig): unknown {
  const rates = Object.entries({ ...own, total_in: totalIn, total_out: totalOut });
  return Object.fromEntries(rates.map(([key, rate]) => [key, rate === 0 ? 0 : formatSize(rate)]));
}

function shownPool({ hashKey, healthCheck, within, sendProxyProtocol, ...pool }: PoolConfig): unknown {
  return {
    ...shown(pool) as Record<string, unknown>,
    send_proxy_protocol: sendProxyProtocol?.checksum
      ? sendProxyProtocol
      : sendProxyProtocol?.version ?? "none",
    within: within.map(formatSubnet),
    // The other algorithms have none, and a file may not say it.
    hash_key: pool.algorithm === "maglev" ? hashKey : undefined,
    health_check: healthCheck === undefined ? undefined : {
      ...shown(healthCheck) as Record<string, unknown>,
      expect_status: healthCheck.type === "http"
        ? healthCheck.expectStatus.map(({ from, to }) => from === to ? from : `${from}-${to}`)
        : undefined,
    },
  };
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value === "string") return escaped(value);
  if (typeof value !== "object" || value === null) return value;
  if ("transport" in value) return escaped(formatAddress(value as Address));
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [snakeCase(key), shownMember(key, it)]));
}

function shownMember(key: string, value: unknown): unknown {
  if (key.endsWith("Ms") && typeof value === "number") return formatDuration(value);
  // What an address is called by default need not be a name that can be given.
  if (key === "name" && typeof value === "string" && !isName(value)) return undefined;
  return shown(value);
}

/** `dialTimeoutMs` is `dial_timeout` in the file. */
function snakeCase(key: string): string {
  return key.replace(/Ms$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
