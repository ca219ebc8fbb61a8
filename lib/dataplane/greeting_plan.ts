/** What a listener asks of its clients before they are routed, made ready for its sessions. */

import type { Endpoint } from "../core/endpoint.ts";
import { admissionOf, type AdmissionOptions } from "./admission.ts";
import { ipMatcher } from "../core/ip_matcher.ts";
import type { IPRange } from "../core/ip_range.ts";
import type { TlsServerOptions } from "../core/tls_options.ts";
import type { TlsServer } from "../engine/tls_contract.ts";
import type { Pool } from "../pool/pool.ts";
import type { ListenerRow, PoolRow } from "../pool/row.ts";
import type { SourceLedger } from "../pool/source_ledger.ts";
import { routeFinder, type TlsRoute } from "../wire/tls_routes.ts";
import type { GreetingPlan } from "./greeting.ts";

/** As a worker is told. */
export interface GreetingOptions {
  /** For all of it together, in ms; not 0. */
  readonly timeoutMs: number;
  /** Peers that send a PROXY header, all others are refused; undefined where no header is expected. */
  readonly proxies: { readonly ranges: readonly IPRange[]; readonly unix: boolean } | undefined;
  /** Which clients are let in; undefined: all. */
  readonly admission?: AdmissionOptions;
  /** Opens TLS; undefined passes it on as it is. */
  readonly tls: TlsServerOptions | undefined;
  /** The first that matches decides. */
  readonly routes: readonly (TlsRoute & { readonly pool: PoolRow })[];
  /** Whether the name in a ClientHello matters to a pool, also where there are no routes. */
  readonly looksAtHello: boolean;
}

/**
 * @param listener The row of the listener.
 * @param tls Opens TLS, where the listener does.
 * @param poolAt Gives a pool by its row.
 * @param sources What this worker has in the table of sources; undefined where no listener limits them.
 */
export function greetingPlan(
  { timeoutMs, proxies, admission, routes, looksAtHello }: GreetingOptions,
  listener: ListenerRow,
  tls: TlsServer | undefined,
  poolAt: (row: PoolRow) => Pool,
  sources?: SourceLedger,
): GreetingPlan {
  const find = routeFinder(routes.map((route) => ({ ...route, pool: poolAt(route.pool) })));
  return {
    timeoutMs,
    isProxy: proxies === undefined ? undefined : proxyMatcher(proxies),
    admission: admission === undefined ? undefined : admissionOf(admission, listener, sources),
    tls,
    looksAtHello,
    routeOf: (hello) => find(hello)?.pool,
  };
}

function proxyMatcher(
  { ranges, unix }: NonNullable<GreetingOptions["proxies"]>,
): (peer: Endpoint) => boolean {
  const isIn = ipMatcher(ranges);
  return (peer) => peer.transport === "unix" ? unix : isIn(peer.host);
}
