import type { Keepalive } from "../engine/contract.ts";
import type { TlsServer } from "../engine/tls_contract.ts";
import type { SharedByteBuckets } from "../pool/byte_rate.ts";
import type { Pool } from "../pool/pool.ts";
import type { ListenerRow, PoolRow, SessionsRow } from "../pool/row.ts";
import type { SourceLedger } from "../pool/source_ledger.ts";
import type { GreetingPlan } from "./greeting.ts";
import { greetingPlan } from "./greeting_plan.ts";
import type { ListenerOptions } from "./messages.ts";
import { SessionPaces } from "./pacing.ts";
import type { SessionLimits } from "./timeouts.ts";
import type { Waits } from "./waits.ts";

/** What all sessions of a listener share. */
export interface ListenerContext {
  /** The row of the listener on the scoreboard. */
  readonly row: ListenerRow;
  /** The row for the count of its sessions. */
  readonly sessionsRow: SessionsRow;
  /** The listener's name. */
  readonly name: string;
  /** Where its sessions go that no route leads elsewhere; undefined refuses them. */
  readonly pool: Pool | undefined;
  /** Undefined where a session is routed at once. */
  readonly greeting: GreetingPlan | undefined;
  readonly limits: SessionLimits;
  readonly keepalive: Keepalive;
  /** Makes what a session moves bytes by; undefined where there is no limit. */
  readonly pace?: (() => SessionPaces) | undefined;
}

/** What the listeners of a worker have in common. */
export interface ContextDeps {
  readonly pools: ReadonlyMap<PoolRow, Pool>;
  /** Opens TLS for this listener; undefined where it does not. */
  readonly tls: TlsServer | undefined;
  /** Undefined where no listener limits sources. */
  readonly sources: SourceLedger | undefined;
  readonly waits: Waits;
  /** Those of all sessions of this listener together. */
  readonly buckets: () => SharedByteBuckets;
}

/** @throws {RangeError} when it leads to a pool that this worker does not have. */
export function listenerContext(options: ListenerOptions, deps: ContextDeps): ListenerContext {
  const { row, sessionsRow, name, limits, keepalive, rateLimit, pool, greeting } = options;
  const { pools, tls, sources, waits, buckets } = deps;
  const poolAt = (at: PoolRow): Pool => {
    const found = pools.get(at);
    if (found !== undefined) return found;
    throw new RangeError(`Cannot start listener ${name}: there is no pool in row ${at}`);
  };
  const shared = rateLimit && { buckets: buckets(), waits, now: () => performance.now() };
  return {
    ...{ row, sessionsRow, name, limits, keepalive },
    pace: rateLimit && shared && (() => new SessionPaces(rateLimit, shared)),
    pool: pool === undefined ? undefined : poolAt(pool),
    greeting: greeting === undefined ? undefined : greetingPlan(greeting, row, tls, poolAt, sources),
  };
}
