/**
 * Keys of HAProxy, nginx, Envoy and others, for people who come from there: what the key is called here, or why there is none.
 *
 * A hint only: what is unknown stays unknown.
 */

import { bare, sameAs } from "../core/other_names.ts";
import { ALGORITHMS } from "./algorithm_names.ts";

/** Our key first, then what others call it. The same word may stand for several; the first that a map has is meant. */
const OTHER_KEYS: readonly (readonly [key: string, ...others: string[]])[] = [
  ["listeners", "frontend", "frontends", "listen", "listener", "server", "servers", "entrypoints"],
  ["pools", "backend", "backends", "upstream", "upstreams", "cluster", "clusters", "pool", "services"],
  ["listen", "bind", "address", "addr", "port", "host"],
  [
    "pool",
    "default_backend",
    "use_backend",
    "backend",
    "proxy_pass",
    "upstream",
    "cluster",
    "target",
    "forward_to",
  ],
  [
    "backends",
    "server",
    "servers",
    "upstreams",
    "members",
    "targets",
    "endpoints",
    "nodes",
    "hosts",
    "backend",
  ],
  ["address", "addr", "host", "port", "ip", "server", "target", "url", "hostname"],
  [
    "algorithm",
    "balance",
    "lb_policy",
    "policy",
    "lb_method",
    "method",
    "strategy",
    "scheduler",
    "load_balancing",
  ],
  ["hash_key", "hash", "hash_type", "hash_on"],
  ["dial_timeout", "timeout connect", "connect_timeout", "proxy_connect_timeout", "timeout"],
  [
    "idle_timeout",
    "timeout client",
    "timeout server",
    "timeout tunnel",
    "client_timeout",
    "server_timeout",
    "timeout",
  ],
  ["idle_timeout", "proxy_timeout", "read_timeout", "proxy_read_timeout", "keepalive_timeout"],
  ["half_close_timeout", "timeout client-fin", "timeout server-fin", "fin_timeout"],
  ["max_session_duration", "max_connection_duration", "max_duration"],
  ["queue", "timeout queue", "queue_timeout", "maxqueue", "max_pending_requests"],
  ["max_connections", "maxconn", "max_conns", "max_conn", "limit_conn", "connection_limit"],
  ["health_check", "check", "checks", "health_checks", "option httpchk", "tcp_check", "probe"],
  ["outlier_detection", "max_fails", "fail_timeout", "observe", "on_error", "error_limit"],
  ["retries", "retry", "max_retries", "proxy_next_upstream_tries", "num_retries"],
  ["on_backend_down", "on_marked_down"],
  ["backup", "backups", "fallback"],
  ["interval", "inter", "period", "every", "frequency"],
  ["fall", "fails", "unhealthy_threshold", "max_fails"],
  ["rise", "passes", "healthy_threshold"],
  ["path", "uri", "url", "endpoint"],
  ["expect_status", "status", "expected_status", "expect_code", "codes"],
  ["workers", "threads", "nbthread", "nbproc", "worker_processes", "concurrency"],
  ["admin", "stats", "api", "metrics", "dashboard", "prometheus"],
  ["log", "logs", "logging", "access_log", "error_log"],
  ["file", "path", "filename", "output"],
  ["token_file", "token", "password", "auth", "stats auth"],
  [
    "shutdown_timeout",
    "grace",
    "grace_period",
    "hard_stop_after",
    "worker_shutdown_timeout",
    "drain_timeout",
  ],
];

/** What has no key here. */
const NOT_HERE: readonly (readonly [why: string, ...keys: string[]])[] = [
  ["sockbal relays the bytes of TCP and knows no other mode; leave it out", "mode", "protocol"],
  [
    "sockbal does not speak TLS; its bytes are passed on as they come",
    "tls",
    "ssl",
    "crt",
    "cert",
    "certificates",
  ],
  [
    "the PROXY protocol is not supported",
    ...["proxy_protocol", "send_proxy", "send_proxy_v2", "accept_proxy", "send_proxy_protocol"],
  ],
  [
    "sockbal does not look into what it relays, so it cannot decide by it",
    ...[
      "acl",
      "routes",
      "rules",
      "http_request",
      "headers",
      "cookie",
      "stick_table",
      "stick_on",
      "sni",
      "locations",
    ],
  ],
  [
    "there are no values for several listeners or pools at once; write them at each",
    ...["defaults", "global", "default", "events", "stream"],
  ],
  ["allowing and denying clients is not supported", "allow", "deny", "whitelist", "blacklist"],
];

/** Which of the keys of a map is meant by one that it has not; undefined when that is not known. */
export function ownKeyFor(key: string, keys: readonly string[]): string | undefined {
  const plain = bare(key);
  return keys.find((it) => bare(it) === plain) ??
    OTHER_KEYS.find(([own, ...others]) => keys.includes(own) && others.some((it) => bare(it) === plain))?.[0];
}

/**
 * What to say about a key that means nothing in its map; undefined when it means nothing anywhere.
 *
 * @param ownersOf The maps that have a key, as messages call them.
 */
export function hintElsewhere(key: string, ownersOf: (key: string) => readonly string[]): string | undefined {
  const plain = bare(key);
  const why = NOT_HERE.find(([, ...others]) => others.some((it) => bare(it) === plain))?.[0];
  if (why !== undefined) return why;
  if (ownersOf(key).length > 0) return `it belongs to ${ownersOf(key).join(" or ")}`;
  const algorithm = sameAs(key, ALGORITHMS);
  if (algorithm !== undefined) return `write algorithm: ${algorithm}`;
  const own = OTHER_KEYS.find(([, ...others]) => others.some((it) => bare(it) === plain))?.[0];
  const owners = own === undefined ? [] : ownersOf(own);
  return owners.length === 0 ? undefined : `write ${own} in ${owners.join(" or ")}`;
}
