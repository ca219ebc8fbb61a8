import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { readConfig } from "../../lib/config/read.ts";
import { configOf, sampleConfig } from "../../lib/config/sources.ts";
import { MINIMAL } from "./faults.ts";

const SAMPLE_FILE = new URL("../../balancer.yaml", import.meta.url).pathname;

Deno.test("a minimal file gives the documented defaults", () => {
  assert.deepEqual(parseConfig(MINIMAL, "f"), {
    listeners: [{
      name: "127.0.0.1:5678",
      listen: { transport: "tcp", host: "127.0.0.1", port: 5678 },
      pool: "web",
      routes: [],
      tls: undefined,
      proxyProtocol: undefined,
      allow: [],
      deny: [],
      maxConnections: 0,
      maxConnectionsPerSource: 0,
      connectionRate: { perSecond: 0, burst: 0 },
      rateLimit: { in: 0, out: 0, totalIn: 0, totalOut: 0 },
      mode: undefined,
      group: undefined,
      backlog: 4096,
      keepalive: { idleMs: 60_000, intervalMs: 10_000, count: 6 },
      handshakeTimeoutMs: 5_000,
      idleTimeoutMs: 600_000,
      halfCloseTimeoutMs: 60_000,
      maxSessionDurationMs: 0,
      flows: undefined,
    }],
    pools: {
      web: {
        algorithm: "round_robin",
        hashKey: "source_ip",
        backends: [{
          name: "127.0.0.1:8001",
          address: { transport: "tcp", host: "127.0.0.1", port: 8001 },
          weight: 1,
          maxConnections: 0,
          backup: false,
        }],
        discover: undefined,
        leave: "drain",
        leaveTimeoutMs: 0,
        dialTimeoutMs: 5_000,
        retries: 2,
        source: [],
        queue: { size: 0, timeoutMs: 5_000 },
        sendProxyProtocol: undefined,
        tls: undefined,
        healthCheck: undefined,
        outlierDetection: { consecutiveFailures: 0, ejectionTimeMs: 30_000, maxEjectedPercent: 50 },
        slowStartMs: 0,
        initial: "up",
        whenAllDown: "refuse",
        within: [],
        onBackendDown: "keep",
      },
    },
    admin: undefined,
    log: { level: "info", format: "text", sessions: true },
    engine: "auto",
    confinement: "best_effort",
    stateFile: undefined,
    fleet: undefined,
    workers: "auto",
    shutdownDelayMs: 0,
    shutdownTimeoutMs: 30_000,
    reloadDrainTimeoutMs: 0,
    notes: [],
  });
});

Deno.test("a file that says everything otherwise gives what it says", () => {
  const config = parseConfig(
    `listeners:
  - { name: in, listen: "unix:/run/in.sock", pool: p, max_connections: 7, backlog: 8,
      allow: [10.0.0.0/8, "2001:db8::/32"], deny: [10.0.0.7], mode: "0660", group: 7, max_connections_per_source: 3, connection_rate: { per_second: 20, burst: 100 }, rate_limit: { in: 1MiB, out: 64KiB, total_in: 1GiB, total_out: 0 }, idle_timeout: 9s,
      keepalive: { idle: 0s, interval: 9h, count: 1 },
      half_close_timeout: 10ms, max_session_duration: 11h, handshake_timeout: 8s,
      proxy_protocol: { from: [unix] }, routes: [{ sni: a.example, alpn: [h2], pool: p }] }
  - { listen: ":443", pool: p, proxy_protocol: { from: [10.0.0.0/8, "::1"] },
      tls: { certificates: [{ cert: a.pem, key: a.key }], client_ca: ca.pem, alpn: [h2], min_version: 1.3 } }
pools:
  p:
    algorithm: maglev
    hash_key: source_address
    backends:
      - "[::1]:80"
      - { address: "unix:/run/b.sock", name: b, weight: 256, max_connections: 9, backup: true }
    discover: { dns: api.internal, port: 8080, resolver: 10.0.0.53, refresh: 30s, allow_empty: true }
    leave: close
    leave_timeout: 45s
    dial_timeout: 0s
    retries: 0
    queue: { size: 10, timeout: 0s }
    send_proxy_protocol: { version: v2, checksum: true }
    tls: { ca: ca.pem, server_name: DB.internal, cert: c.pem, key: c.key, alpn: [h2, http/1.1], verify: true }
    health_check: { interval: 100ms, timeout: 20ms, rise: 3, fall: 4, port: 81 }
    outlier_detection: { consecutive_failures: 5, ejection_time: 1m, max_ejected_percent: 100 }
    slow_start: 20s
    when_all_down: ignore_health
    initial: down
    on_backend_down: close
    within: [10.0.0.0/8:8080, 192.0.2.0/24]
admin: { listen: ":9000", token_file: secret.token }
log: { level: error, format: json, sessions: false, file: s.log }
engine: epoll
state_file: state.json
fleet: { etcd: { endpoints: ["http://10.0.0.5:2379/"], prefix: /lb/ }, name: lb1, advertise: "10.0.0.2:9901", rollout: { canary: 2, wait: 5s } }
workers: 3
shutdown_delay: 15s
shutdown_timeout: 0s
reload_drain_timeout: 1m30s
`,
    "f",
  );
  assert.deepEqual(config, {
    listeners: [{
      name: "in",
      listen: { transport: "unix", path: "/run/in.sock" },
      pool: "p",
      routes: [{ sni: "a.example", alpn: ["h2"], pool: "p" }],
      tls: undefined,
      proxyProtocol: { from: ["unix"] },
      allow: [{ network: "10.0.0.0", prefixBits: 8 }, { network: "2001:db8::", prefixBits: 32 }],
      deny: [{ network: "10.0.0.7", prefixBits: 32 }],
      maxConnections: 7,
      maxConnectionsPerSource: 3,
      connectionRate: { perSecond: 20, burst: 100 },
      rateLimit: { in: 1_048_576, out: 65_536, totalIn: 1_073_741_824, totalOut: 0 },
      mode: 0o660,
      group: 7,
      backlog: 8,
      keepalive: { idleMs: 0, intervalMs: 32_400_000, count: 1 },
      handshakeTimeoutMs: 8_000,
      idleTimeoutMs: 9_000,
      halfCloseTimeoutMs: 10,
      maxSessionDurationMs: 39_600_000,
      flows: undefined,
    }, {
      name: ":443",
      listen: { transport: "tcp", host: "", port: 443 },
      pool: "p",
      routes: [],
      tls: {
        certificates: [{ cert: "a.pem", key: "a.key" }],
        clientCa: "ca.pem",
        alpn: ["h2"],
        minVersion: "1.3",
      },
      proxyProtocol: {
        from: [{ network: "10.0.0.0", prefixBits: 8 }, { network: "::1", prefixBits: 128 }],
      },
      allow: [],
      deny: [],
      maxConnections: 0,
      maxConnectionsPerSource: 0,
      connectionRate: { perSecond: 0, burst: 0 },
      rateLimit: { in: 0, out: 0, totalIn: 0, totalOut: 0 },
      mode: undefined,
      group: undefined,
      backlog: 4096,
      keepalive: { idleMs: 60_000, intervalMs: 10_000, count: 6 },
      handshakeTimeoutMs: 5_000,
      idleTimeoutMs: 600_000,
      halfCloseTimeoutMs: 60_000,
      maxSessionDurationMs: 0,
      flows: undefined,
    }],
    pools: {
      p: {
        algorithm: "maglev",
        hashKey: "source_address",
        backends: [
          {
            name: "[::1]:80",
            address: { transport: "tcp", host: "::1", port: 80 },
            weight: 1,
            maxConnections: 0,
            backup: false,
          },
          {
            name: "b",
            address: { transport: "unix", path: "/run/b.sock" },
            weight: 256,
            maxConnections: 9,
            backup: true,
          },
        ],
        discover: {
          dns: "api.internal",
          port: 8080,
          srv: undefined,
          file: undefined,
          http: undefined,
          etcd: undefined,
          resolver: { transport: "tcp", host: "10.0.0.53", port: 53 },
          ca: undefined,
          refreshMs: 30_000,
          allowEmpty: true,
        },
        leave: "close",
        leaveTimeoutMs: 45_000,
        dialTimeoutMs: 0,
        retries: 0,
        source: [],
        queue: { size: 10, timeoutMs: 0 },
        sendProxyProtocol: { version: "v2", checksum: true },
        tls: {
          ca: "ca.pem",
          serverName: "db.internal",
          cert: "c.pem",
          key: "c.key",
          alpn: ["h2", "http/1.1"],
          verify: true,
        },
        healthCheck: { type: "tcp", intervalMs: 100, timeoutMs: 20, rise: 3, fall: 4, port: 81 },
        outlierDetection: { consecutiveFailures: 5, ejectionTimeMs: 60_000, maxEjectedPercent: 100 },
        slowStartMs: 20_000,
        initial: "down",
        whenAllDown: "ignore_health",
        onBackendDown: "close",
        within: [
          { network: "10.0.0.0", prefixBits: 8, port: 8080 },
          { network: "192.0.2.0", prefixBits: 24, port: undefined },
        ],
      },
    },
    admin: { listen: { transport: "tcp", host: "", port: 9000 }, tokenFile: "secret.token" },
    log: { level: "error", format: "json", sessions: false, file: "s.log" },
    engine: "epoll",
    confinement: "best_effort",
    stateFile: "state.json",
    fleet: {
      etcd: {
        endpoints: ["http://10.0.0.5:2379"],
        prefix: "/lb/",
        user: undefined,
        passwordFile: undefined,
        ca: undefined,
        cert: undefined,
        key: undefined,
      },
      name: "lb1",
      advertise: "10.0.0.2:9901",
      rollout: { canary: 2, waitMs: 5_000 },
    },
    workers: 3,
    shutdownDelayMs: 15_000,
    shutdownTimeoutMs: 0,
    reloadDrainTimeoutMs: 90_000,
    notes: [
      "f:6:86 listeners[0].routes[0].pool: note: what is routed is TLS already, and the pool p has tls, " +
      "which encrypts it a second time",
    ],
  });
});

Deno.test("the sample says nothing but the defaults, checks its backends, and has a page", async () => {
  const minimal = `listeners: [{ name: web, listen: 127.0.0.1:5678, pool: web }]
pools:
  web:
    backends: [127.0.0.1:8001, 127.0.0.1:8002, { address: 127.0.0.1:8003, name: third }]
    health_check: {}
admin: { listen: 127.0.0.1:9901 }
`;
  assert.deepEqual(await readConfig(SAMPLE_FILE), parseConfig(minimal, "f"));
});

Deno.test("a short backend has what a long one has that says nothing else", () => {
  const short = parseConfig(MINIMAL, "f");
  const long = parseConfig(MINIMAL.replace("127.0.0.1:8001", "{ address: 127.0.0.1:8001 }"), "f");
  assert.deepEqual(short, long);
});

Deno.test("the sample that is built in is the file", async () => {
  assert.deepEqual(sampleConfig(), await readConfig(SAMPLE_FILE));
});

Deno.test("the command line instead of a file has the addresses of the sample and all other defaults", () => {
  const config = configOf({ listen: undefined, backends: [], algorithm: undefined });
  const sample = sampleConfig();
  assert.deepEqual(config.listeners.map((it) => it.listen), sample.listeners.map((it) => it.listen));
  const addresses = Object.values(sample.pools).flatMap((pool) => pool.backends.map((it) => it.address));
  assert.deepEqual(config.pools.backends?.backends.map((it) => it.address), addresses);
  const [, expected] = [config, parseConfig(MINIMAL.replaceAll("web", "backends"), "f")];
  assert.deepEqual({ ...config, pools: {} }, { ...expected, pools: {} });
});

Deno.test("the command line may name the listener, the backends and the algorithm", () => {
  const config = configOf({
    listen: { transport: "tcp", host: "", port: 80 },
    backends: [{ transport: "tcp", host: "::1", port: 81 }, { transport: "unix", path: "/run/b.sock" }],
    algorithm: "least_connections",
  });
  assert.equal(config.pools.backends?.algorithm, "least_connections");
  assert.deepEqual(config.listeners.map((it) => [it.name, it.pool]), [[":80", "backends"]]);
  assert.deepEqual(config.pools.backends?.backends.map((it) => it.name), ["[::1]:81", "unix:/run/b.sock"]);
});

Deno.test("a backend that stands twice on the command line is refused, as it is in a file", () => {
  const backend = { transport: "tcp", host: "a", port: 1 } as const;
  assert.throws(
    () => configOf({ listen: undefined, backends: [backend, backend], algorithm: undefined }),
    /"a:1" is used a second time/,
  );
});

Deno.test("confinement can be required where TLS is not opened", () => {
  assert.equal(parseConfig(`${MINIMAL}confinement: required\n`, "f").confinement, "required");
});

Deno.test("a listener on UDP has defaults of its own, and may say otherwise", () => {
  const config = parseConfig(
    `listeners:
  - { listen: "udp::53", pool: dns }
  - { name: vpn, listen: "udp:[::1]:500", pool: vpn, idle_timeout: 5m, max_flows: 100, responses: 1 }
pools:
  dns: { backends: ["[::1]:5300"], health_check: { type: udp, send: "\\x00\\xff", expect: /^\\xff/, port: 53 } }
  vpn: { backends: [10.0.0.1:500] }
`,
    "f",
  );
  assert.deepEqual(
    config.listeners.map(({ name, listen, idleTimeoutMs, flows }) => ({
      name,
      listen,
      idleTimeoutMs,
      flows,
    })),
    [{
      name: "udp::53",
      listen: { transport: "udp", host: "", port: 53 },
      idleTimeoutMs: 30_000,
      flows: { maxFlows: 16_384, responses: 0 },
    }, {
      name: "vpn",
      listen: { transport: "udp", host: "::1", port: 500 },
      idleTimeoutMs: 300_000,
      flows: { maxFlows: 100, responses: 1 },
    }],
  );
  assert.deepEqual(config.pools.dns?.healthCheck, {
    type: "udp",
    intervalMs: 2_000,
    timeoutMs: 1_000,
    rise: 2,
    fall: 3,
    port: 53,
    send: "\0\xff",
    expect: "/^\\xff/",
  });
  assert.equal(config.pools.vpn?.healthCheck, undefined);
  assert.deepEqual(config.notes, []);
});

Deno.test("the command line may name a listener on UDP, whose backends are no Unix sockets", () => {
  const listen = { transport: "udp", host: "", port: 53 } as const;
  const config = configOf({
    listen,
    backends: [{ transport: "tcp", host: "a", port: 1 }],
    algorithm: undefined,
  });
  assert.deepEqual(config.listeners.map((it) => [it.name, it.flows?.maxFlows, it.idleTimeoutMs]), [[
    "udp::53",
    16_384,
    30_000,
  ]]);
  assert.equal(config.pools.backends?.healthCheck, undefined);
  assert.throws(
    () => configOf({ listen, backends: [{ transport: "unix", path: "/run/b.sock" }], algorithm: undefined }),
    /--backend: a Unix socket takes connections, and --listen takes datagrams; write host:port/,
  );
});
