/** A pool of the configuration: its backends, how one of them is picked, and what is done when that is not possible. */

import { z } from "zod";
import { type Address, formatAddress } from "../core/address.ts";
import { ALGORITHMS } from "./algorithm_names.ts";
import { discover } from "./discover_schema.ts";
import {
  choice,
  count,
  dialAddress,
  duration,
  flag,
  ipAddress,
  name,
  refuse,
  section,
  subnet,
} from "./fields.ts";
import { healthCheck } from "./health_check_schema.ts";
import { poolTls, sendProxyProtocol } from "./tls_schema.ts";

export { type AlgorithmName, ALGORITHMS } from "./algorithm_names.ts";

/** What maglev can tell sessions apart by. */
const HASH_KEYS = ["source_ip", "source_address", "sni"] as const;

const address = dialAddress("Whom to dial: host:port, [v6]:port or unix:/path.");

/** What the short form of a backend has, and the long form when it does not say otherwise. */
const backendDefaults = { name: undefined, weight: 1, max_connections: 0, backup: false };

/** A backend that was checked. */
export interface BackendConfig {
  readonly name: string;
  readonly address: Address;
  readonly weight: number;
  readonly maxConnections: number;
  readonly backup: boolean;
  /** The name under which its address was discovered: what its certificate is for. */
  readonly host?: string;
}

/** A backend, in its short or its long form. */
export const backend = z.union([
  address.transform((address) => ({ address, ...backendDefaults })),
  section("a backend", {
    address,
    name: name("How logs and metrics call it; by default its address.").optional(),
    weight: count(0, 256, "Its share of the sessions beside the others'; 0 takes no new ones.")
      .prefault(backendDefaults.weight),
    max_connections: count(0, 1_000_000, "Sessions at once, over all workers; 0 is no limit.")
      .prefault(backendDefaults.max_connections),
    backup: flag(
      "Whether it is picked only when no other backend can be: all are down, full or already tried.",
    ).prefault(backendDefaults.backup),
  }),
]).transform((it): BackendConfig => ({
  name: it.name ?? formatAddress(it.address),
  address: it.address,
  weight: it.weight,
  maxConnections: it.max_connections,
  backup: it.backup,
}));

const queue = section("a queue", {
  size: count(
    0,
    1_000_000,
    "How many sessions may wait at once while all backends are at their max_connections; 0: none waits.",
  ).prefault(0),
  timeout: duration("How long a session waits before it is refused; 0s is without limit.").prefault("5s"),
}, "write queue: { size: 1000, timeout: 5s }").transform((it) => ({ size: it.size, timeoutMs: it.timeout }));

const outlierDetection = section("outlier detection", {
  consecutive_failures: count(
    0,
    1_000,
    "How many sessions in a row must fail to reach a backend until it is ejected; 0 ejects none.",
  ).prefault(0),
  ejection_time: duration("How long a backend stays ejected; more than 0s.", 1).prefault("30s"),
  max_ejected_percent: count(0, 100, "How much of the pool may be ejected at once, rounded down.").prefault(
    50,
  ),
}, "write outlier_detection: { consecutive_failures: 5 }").transform((it) => ({
  consecutiveFailures: it.consecutive_failures,
  ejectionTimeMs: it.ejection_time,
  maxEjectedPercent: it.max_ejected_percent,
}));

/** One pool. */
export const pool = section("a pool", {
  algorithm: choice("algorithm", ALGORITHMS, "How a backend is picked for a session.").prefault(
    "round_robin",
  ),
  hash_key: choice(
    "hash key",
    HASH_KEYS,
    "Algorithm maglev: which sessions have the same backend: those of one IP address, of one address and port, or of one server name (SNI), for which the first bytes of a client are waited for; without a name, of one IP address.",
  ).prefault("source_ip"),
  backends: z.array(backend, refuse("a list", "list the backends, as - 127.0.0.1:8001"))
    .meta({
      description:
        "The members: an address each, or a map as { address: 127.0.0.1:8001, weight: 2 }; at least one, unless they are discovered.",
    }).prefault([]),
  discover: discover.meta({ description: "Where backends come from besides; they come and go at run time." })
    .optional(),
  leave: choice(
    "answer",
    ["drain", "close"],
    "What becomes of the sessions of a backend that is a member no more: they may finish, or they are closed.",
  ).prefault("drain"),
  leave_timeout: duration(
    "How long they may take to finish before they are closed; 0s: as long as they take.",
  ).prefault("0s"),
  within: z.array(
    subnet("A subnet of IPv4 with a port, or without one for any port."),
    refuse("a list", "list subnets, as - 10.0.0.0/8:8080"),
  ).meta({
    description:
      "What workers may dial besides the backends: within these subnets, backends change without new workers.",
  }).prefault([]),
  dial_timeout: duration(
    "How long a dial may take before another backend is tried; 0s leaves it to the system.",
  ).prefault("5s"),
  retries: count(
    0,
    100,
    "Dials after the first when it fails: at other backends, or, when all were tried, at the same after a pause; never after a byte was relayed.",
  ).prefault(2),
  source: z.array(
    ipAddress("An IP address of this machine."),
    refuse("a list", "list addresses of this machine, as - 10.0.0.5"),
  ).meta({
    description:
      "Engine epoll: the local addresses of dials, in turn; a backend of the other family is dialled without. Empty: the system chooses.",
  }).prefault([]),
  queue: queue.meta({ description: "Where sessions wait while all backends are full." }).prefault({}),
  send_proxy_protocol: sendProxyProtocol
    .meta({
      description:
        "The header of the PROXY protocol that tells backends the address of the client; before TLS.",
    }).prefault("none"),
  tls: poolTls.meta({ description: "TLS to backends, health checks included; without it there is none." })
    .optional(),
  initial: choice(
    "state",
    ["up", "down"],
    "Whether a new backend gets sessions before its first health check has passed.",
  ).prefault("up"),
  health_check: healthCheck.meta({ description: "How backends are checked; without it they are not." })
    .optional(),
  outlier_detection: outlierDetection
    .meta({ description: "Ejects, for a time, backends that sessions fail to reach." }).prefault({}),
  slow_start: duration(
    "How long a backend that is up again takes to come to its full share; 0s has it at once.",
  ).prefault("0s"),
  when_all_down: choice(
    "answer",
    ["refuse", "ignore_health"],
    "What becomes of a session when no backend is up: it is refused, or any backend is tried.",
  ).prefault("refuse"),
  on_backend_down: choice(
    "answer",
    ["keep", "close"],
    "What becomes of the sessions of a backend that goes down: they are kept, or closed.",
  ).prefault("keep"),
}).transform((it) => ({
  algorithm: it.algorithm,
  hashKey: it.hash_key,
  backends: it.backends,
  discover: it.discover,
  leave: it.leave,
  leaveTimeoutMs: it.leave_timeout,
  within: it.within,
  dialTimeoutMs: it.dial_timeout,
  retries: it.retries,
  source: it.source,
  queue: it.queue,
  sendProxyProtocol: it.send_proxy_protocol,
  tls: it.tls,
  initial: it.initial,
  healthCheck: it.health_check,
  outlierDetection: it.outlier_detection,
  slowStartMs: it.slow_start,
  whenAllDown: it.when_all_down,
  onBackendDown: it.on_backend_down,
}));

/** A pool that was checked. */
export type PoolConfig = z.output<typeof pool>;
