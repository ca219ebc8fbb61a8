/** What a configuration says of TLS and the PROXY protocol, as workers are told of it. Pure. */

import { type ListenerConfig, poolsOf } from "../config/listener_schema.ts";
import type { PoolConfig } from "../config/pool_schema.ts";
import type { Config } from "../config/schema.ts";
import type { TlsClientOptions } from "../core/tls_options.ts";
import type { AdmissionOptions } from "../dataplane/admission.ts";
import type { GreetingOptions } from "../dataplane/greeting_plan.ts";
import type { ListenerOptions } from "../dataplane/messages.ts";
import type { PoolStructure } from "../pool/pool.ts";
import type { PoolRow } from "../pool/row.ts";

/** Whether TLS is opened on either side of the sessions of a listener. */
export function opensTls(listener: ListenerConfig, config: Pick<Config, "pools">): boolean {
  return listener.tls !== undefined || reachedFrom(listener, config).some(({ tls }) => tls !== undefined);
}

function reachedFrom(listener: ListenerConfig, { pools }: Pick<Config, "pools">): PoolConfig[] {
  return poolsOf(listener).flatMap((name) => pools[name] ?? []);
}

/** What the clients of a listener are asked before they are routed; nothing where they are routed at once. */
export function greetingOf(
  listener: ListenerConfig,
  config: Pick<Config, "pools">,
  rowOf: (pool: string) => PoolRow,
): Pick<ListenerOptions, "greeting" | "opensTls"> {
  const looksAtHello = listener.tls === undefined &&
    (listener.routes.length > 0 || reachedFrom(listener, config).some(goesByServerName));
  const isGreeted = listener.proxyProtocol !== undefined || listener.tls !== undefined || looksAtHello ||
    admissionOf(listener) !== undefined;
  return {
    ...(opensTls(listener, config) ? { opensTls: true } : {}),
    ...(isGreeted ? { greeting: greeting(listener, looksAtHello, rowOf) } : {}),
  };
}

/** Who is let in; undefined where everyone is. */
function admissionOf(
  { allow, deny, maxConnectionsPerSource: maxConnections, connectionRate }: ListenerConfig,
): AdmissionOptions | undefined {
  const { perSecond, burst } = connectionRate;
  const rate = perSecond === 0
    ? undefined
    : { intervalUs: Math.round(1_000_000 / perSecond), burst: burst === 0 ? perSecond : burst };
  const perSource = maxConnections === 0 && rate === undefined ? undefined : { maxConnections, rate };
  if (allow.length === 0 && deny.length === 0 && perSource === undefined) return undefined;
  return { allow, deny, ...(perSource === undefined ? {} : { perSource }) };
}

/** Its sessions can only be told apart when their ClientHello is read. */
function goesByServerName({ algorithm, hashKey }: PoolConfig): boolean {
  return algorithm === "maglev" && hashKey === "sni";
}

function greeting(
  listener: ListenerConfig,
  looksAtHello: boolean,
  rowOf: (pool: string) => PoolRow,
): GreetingOptions {
  const { handshakeTimeoutMs, proxyProtocol, tls, routes } = listener;
  const from = proxyProtocol?.from;
  const admission = admissionOf(listener);
  return {
    timeoutMs: handshakeTimeoutMs,
    proxies: from === undefined ? undefined : {
      ranges: from.flatMap((it) => it === "unix" ? [] : [it]),
      unix: from.includes("unix"),
    },
    ...(admission === undefined ? {} : { admission }),
    tls: tls === undefined ? undefined : { alpn: tls.alpn, minVersion: tls.minVersion },
    routes: routes.map(({ sni, alpn, pool }) => ({ sni, alpn, pool: rowOf(pool) })),
    looksAtHello,
  };
}

/** How backends are told who the client is. */
export function introductionOf({ sendProxyProtocol: sent }: PoolConfig): Pick<PoolStructure, "introduction"> {
  if (sent === undefined) return {};
  return { introduction: { version: sent.version === "v1" ? 1 : 2, checksum: sent.checksum } };
}

/** How TLS is opened to backends. */
export function tlsToBackends(
  { serverName, alpn, verify }: NonNullable<PoolConfig["tls"]>,
): TlsClientOptions {
  return { serverName, alpn, verify };
}
