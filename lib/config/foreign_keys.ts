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
  ["responses", "proxy_responses", "max_responses", "expected_responses"],
  ["max_flows", "max_udp_sessions", "max_udp_flows"],
  ["half_close_timeout", "timeout client-fin", "timeout server-fin", "fin_timeout"],
  ["max_session_duration", "max_connection_duration", "max_duration"],
  ["queue", "timeout queue", "queue_timeout", "maxqueue", "max_pending_requests"],
  [
    "allow",
    "allowlist",
    "whitelist",
    "allow_list",
    "src",
    "allowed_ips",
    "source_ranges",
    "tcp-request connection accept",
  ],
  ["deny", "denylist", "blacklist", "block", "deny_list", "denied_ips", "tcp-request connection reject"],
  [
    "max_connections_per_source",
    "limit_conn",
    "src_conn_cur",
    "conn_cur",
    "maxconn_per_ip",
    "connections_per_ip",
  ],
  [
    "connection_rate",
    "limit_req",
    "src_conn_rate",
    "conn_rate",
    "rate_limit_sessions",
    "local_ratelimit",
    "ratelimit",
  ],
  [
    "rate_limit",
    "limit_rate",
    "proxy_download_rate",
    "proxy_upload_rate",
    "bandwidth",
    "bandwidth_limit",
    "bwlim_in",
    "bwlim_out",
    "filter bwlim-in",
    "filter bwlim-out",
    "rate_limits",
  ],
  ["in", "upload", "proxy_upload_rate", "bwlim_in", "up"],
  ["out", "download", "proxy_download_rate", "bwlim_out", "down"],
  ["mode", "socket_mode", "listen_mode", "permissions"],
  ["group", "gid", "socket_group", "listen_group"],
  ["max_connections", "maxconn", "max_conns", "max_conn", "limit_conn", "connection_limit"],
  ["health_check", "check", "checks", "health_checks", "option httpchk", "option", "tcp_check", "probe"],
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
  ["tls", "ssl", "https", "ssl_context", "transport_socket", "proxy_ssl", "secure"],
  [
    "certificates",
    "certificate",
    "certs",
    "crt",
    "crt_list",
    "cert",
    "ssl_certificate",
    "tls_certificates",
  ],
  [
    "cert",
    "crt",
    "certificate",
    "cert_file",
    "pem",
    "certificate_chain",
    "ssl_certificate",
    "proxy_ssl_certificate",
  ],
  ["key", "key_file", "private_key", "ssl_certificate_key", "proxy_ssl_certificate_key", "tls_key"],
  [
    "client_ca",
    "ca",
    "ca_file",
    "ssl_client_certificate",
    "ssl_verify_client",
    "client_ca_file",
    "verify",
    "client_auth",
  ],
  [
    "ca",
    "ca_file",
    "ca_cert",
    "trusted_certificate",
    "ssl_trusted_certificate",
    "proxy_ssl_trusted_certificate",
    "trusted_ca",
    "root_ca",
    "client_ca",
  ],
  ["verify", "proxy_ssl_verify", "insecure", "insecure_skip_verify", "skip_verify", "verify_certificate"],
  ["min_version", "ssl_min_ver", "ssl_protocols", "min_tls_version", "tls_min_version", "minimum_version"],
  ["routes", "ssl_preread", "sni", "acl", "rules", "filter_chains", "filter_chain_match", "tls_routes"],
  [
    "sni",
    "server_names",
    "server_name",
    "req_ssl_sni",
    "req.ssl_sni",
    "ssl_fc_sni",
    "host_sni",
    "host",
    "hosts",
  ],
  ["server_name", "sni", "proxy_ssl_name", "hostname", "verifyhost", "host"],
  ["alpn", "npn", "alpn_protocols", "application_protocols", "protocols", "next_protos"],
  ["proxy_protocol", "accept_proxy", "expect_proxy", "use_proxy_proto", "send_proxy_protocol"],
  ["send_proxy_protocol", "send_proxy", "send_proxy_v2", "proxy_protocol", "accept_proxy"],
  ["from", "trusted", "trusted_ips", "set_real_ip_from", "allow", "sources"],
  [
    "handshake_timeout",
    "ssl_handshake_timeout",
    "preread_timeout",
    "inspect_delay",
    "tcp-request inspect-delay",
  ],
  [
    "shutdown_timeout",
    "grace",
    "grace_period",
    "hard_stop_after",
    "worker_shutdown_timeout",
    "drain_timeout",
  ],
];

const PAIRS = "write certificates: [{ cert: …, key: … }]";

/** What to write for a key in one kind of map, where its name alone would not say it. Maps are called as in messages. */
const IN_MAPS: readonly (readonly [map: string, hint: string, ...keys: string[]])[] = [
  ["tls of a listener", PAIRS, "cert", "key", "ssl_certificate", "ssl_certificate_key"],
  ["a listener", `${PAIRS} in tls`, "cert", "key", "ssl_certificate", "ssl_certificate_key"],
  [
    "a listener",
    "certificates are chosen by their names; to route by name use routes",
    ...["server_name", "server_names"],
  ],
  [
    "a listener",
    "for datagrams write udp: before the address, as listen: udp:127.0.0.1:53",
    "udp",
    "protocol",
    "transport",
    "network",
  ],
  ["a backend", "write weight: 0", "down", "disabled"],
  // Only among the defaults are these unknown.
  ["a listener", "each listener has its own; write it there", "name", "listen"],
  ["a pool", "each pool has its own; write them there", "backends"],
  ["defaults", "what all listeners have stands in listener: { … }", "listeners", "frontend", "frontends"],
  ["defaults", "what all pools have stands in pool: { … }", "pools", "backend", "backends", "upstream"],
];

/** What has no key here. */
const NOT_HERE: readonly (readonly [why: string, ...keys: string[]])[] = [
  ["sockbal relays bytes as they are and knows no other mode; leave it out", "mode", "protocol"],
  [
    "the datagrams of one client stay with one backend until its flow ends; leave it out",
    ...["proxy_requests", "max_requests", "use_per_packet_load_balancing"],
  ],
  [
    "sockbal decides by the address of the client, with allow and deny in a listener, and by the server name and ALPN of TLS, with routes",
    ...["acl", "rules", "http_request", "headers", "cookie", "stick_table", "stick_on", "locations"],
  ],
  [
    "the ciphers of TLS cannot be set; leave it out",
    ...["ciphers", "ssl_ciphers", "cipher_suites", "ssl_prefer_server_ciphers", "ssl_default_bind_ciphers"],
  ],
  [
    "what all listeners or pools have stands in defaults: { listener: { … }, pool: { … } }",
    ...["global", "default", "events", "stream"],
  ],
];

/** What to write for a key in a map, as messages call it; undefined where {@linkcode ownKeyFor} may know more. */
export function hintIn(map: string, key: string): string | undefined {
  const plain = bare(key);
  return IN_MAPS.find(([it, , ...keys]) => it === map && keys.some((other) => bare(other) === plain))?.[1];
}

/** Which of the keys of a map is meant by one that it has not; undefined when that is not known. */
export function ownKeyFor(key: string, keys: readonly string[]): string | undefined {
  const plain = bare(key);
  return keys.find((it) => bare(it) === plain) ??
    OTHER_KEYS.find(([own, ...others]) => keys.includes(own) && others.some((it) => bare(it) === plain))?.[0];
}

/** Maps whose keys have the names of others', and are what no other program means. */
const OF_DISCOVERY = ["discover", "etcd", "fleet"];

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
  const owners = own === undefined ? [] : ownersOf(own).filter((it) => !OF_DISCOVERY.includes(it));
  return owners.length === 0 ? undefined : `write ${own} in ${owners.join(" or ")}`;
}
