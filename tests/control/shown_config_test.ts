// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What `GET /api/config` answers can be saved and read back, and means the same. */

import assert from "node:assert/strict";
import { plainJson } from "../../lib/admin/plain_json.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { readConfig } from "../../lib/config/read.ts";
import { type Config, configJsonSchema } from "../../lib/config/schema.ts";
import { configOf, sampleConfig } from "../../lib/config/sources.ts";
import { shownConfig } from "../../lib/control/shown_config.ts";
import { makeCertificate, noOpenssl } from "../support/certificates.ts";
import { parseListenAddress } from "../../lib/core/address.ts";

/** Sets every key that there is, to something else than its default. */
const EVERY_KEY = `
listeners:
  - name: web
    listen: 127.0.0.1:5678
    pool: web
    routes:
      - { sni: "*.Example.com", alpn: [h2, http/1.1], pool: "123" }
      - { alpn: ["acme-tls/1"], pool: "true" }
    proxy_protocol: { from: [10.0.0.0/8, "2001:db8::/32", "::1"] }
    allow: [10.0.0.0/8, "2001:db8::/32", 192.0.2.1]
    deny: [10.0.0.7, "::/0"]
    max_connections: 1000
    max_connections_per_source: 10
    connection_rate: { per_second: 20, burst: 100 }
    rate_limit: { in: 1MiB, out: 1536KiB, total_in: 2GiB, total_out: 0 }
    backlog: 128
    keepalive: { idle: 30s, interval: 5s, count: 3 }
    handshake_timeout: 1s1ms
    idle_timeout: 1h2m3s4ms
    half_close_timeout: 250ms
    max_session_duration: 596h
  - listen: ":5679"
    pool: "123"
    tls:
      certificates: [{ cert: one.pem, key: one.key }, { cert: run/two.pem, key: run/two.key }]
      client_ca: one.pem
      alpn: [h2]
      min_version: "1.3"
  - { listen: ":5681", routes: [{ sni: b.example, pool: web }] }
  - { listen: "[::1]:5680", pool: "true" }
  - { listen: "unix:run/in.sock", pool: web, proxy_protocol: { from: [unix] } }
  - { listen: "unix:run/with space.sock", pool: web, mode: "0660", group: root }
  - { listen: "unix:run/number.sock", pool: web, mode: "600", group: 7 }
  - { listen: "udp::53", pool: dns }
  - { name: vpn, listen: "udp:[::1]:500", pool: dns, allow: ["fd00::/8"], idle_timeout: 5m, max_flows: 10, responses: 3 }
pools:
  web:
    algorithm: maglev
    hash_key: source_address
    backends:
      - { address: 127.0.0.1:8001, name: first, weight: 7, max_connections: 9, backup: false }
      - { address: backup.example.com:8002, backup: true, weight: 0 }
      - "[fe80::1%eth0]:8003"
      - "unix:run/b.sock"
      - "unix:run/ü b.sock"
    discover: { srv: _db._tcp.internal, resolver: "10.0.0.53:5353", refresh: 20s, allow_empty: true }
    leave: close
    leave_timeout: 7s
    dial_timeout: 1s500ms
    retries: 0
    source: [10.0.0.5, "2001:db8::5"]
    queue: { size: 10, timeout: 0s }
    send_proxy_protocol: { version: v2, checksum: true }
    tls: { ca: one.pem, server_name: DB.internal, cert: one.pem, key: one.key, alpn: [h2], verify: true }
    health_check:
      type: http
      interval: 1m
      timeout: 999ms
      rise: 1
      fall: 9
      port: 81
      path: "/health?a=%20&b=#c"
      host: example.com:8080
      expect_status: [200, 204-204, 301-308]
    outlier_detection: { consecutive_failures: 5, ejection_time: 1m, max_ejected_percent: 100 }
    slow_start: 90s
    initial: down
    when_all_down: ignore_health
    on_backend_down: close
    within: [10.0.0.0/8:8080, 192.0.2.0/24]
  "123":
    algorithm: round_robin
    backends: [127.0.0.1:1]
    discover: { http: "https://10.0.0.9/members?a=b", ca: one.pem }
    send_proxy_protocol: v1
    tls: {}
    health_check: { type: expect, quit: "BYE\\r\\n", send: "PING \\"\\\\\\r\\n\\x7f\\u0085\\u2028\\0ü\\U0001F600", expect: "/^\\\\+PONG: {a}/" }
  "true":
    algorithm: maglev
    discover:
      etcd: { endpoints: ["https://etcd.internal:2379"], prefix: "/web/", user: lb, password_file: p, ca: one.pem, cert: one.pem, key: one.key }
    hash_key: sni
    tls: { verify: false }
    health_check: { type: tcp }
  dns:
    backends: [127.0.0.1:3]
    health_check: { type: udp, send: "\\x00\\xff", expect: "/^\\xff/", port: 5 }
  by-name: { discover: { dns: api.internal, port: 80 } }
  by-file: { discover: { file: members.yaml } }
admin: { listen: "127.0.0.1:9901", token_file: admin.token }
log: { level: warn, format: json, sessions: served, file: "sessions #1.log" }
engine: epoll
confinement: best_effort
state_file: state.json
fleet:
  etcd: { endpoints: ["https://etcd.internal:2379"], prefix: /lb/, user: lb, password_file: p, ca: one.pem, cert: one.pem, key: one.key }
  name: lb1
  advertise: "10.0.0.2:9901"
  rollout: { canary: 2, wait: 5s }
workers: 3
shutdown_delay: 1s
shutdown_timeout: 2s
reload_drain_timeout: 3s
defaults: { listener: { backlog: 77 }, pool: { retries: 5 } }
include: [more/*.yaml]
`;

async function readBack(config: Config, folder: string): Promise<Config> {
  await Deno.mkdir(`${folder}/elsewhere`, { recursive: true });
  const file = `${folder}/elsewhere/saved.yaml`;
  await Deno.writeTextFile(file, plainJson(shownConfig(config)));
  return await readConfig(file);
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/admin.token`, "0123456789abcdef\n");
    await Deno.mkdir(`${folder}/run`);
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: `a configuration with every key set reads back as it was, from another folder${noOpenssl.why}`,
  ignore: noOpenssl.ignore,
  fn: async () => {
    await inFolder(async (folder) => {
      await makeCertificate(folder, "one");
      await makeCertificate(`${folder}/run`, "two");
      await Deno.writeTextFile(`${folder}/balancer.yaml`, EVERY_KEY);
      const { notes: _1, ...config } = await readConfig(`${folder}/balancer.yaml`);
      assert.deepEqual(config.listeners[1]?.tls?.certificates[1], {
        cert: `${folder}/run/two.pem`,
        key: `${folder}/run/two.key`,
      });
      const { notes: _2, ...again } = await readBack({ ...config, notes: [] }, folder);
      assert.deepEqual(again, config);
      const key = await Deno.readTextFile(`${folder}/one.key`);
      const shown = plainJson(shownConfig({ ...config, notes: [] }));
      for (const line of key.split("\n").slice(1, -2)) {
        assert.ok(!shown.includes(line), "a part of a private key");
      }
    });
  },
});

Deno.test("a text from the environment is shown as it is written, and all else as it is in force", async () => {
  const { get } = Deno.env;
  const known: Record<string, string> = { PASSWORD: "hunter2", PORT: "82", IDLE: "5m", HOST: "::1" };
  try {
    Deno.env.get = (name) => known[name];
    await inFolder(async (folder) => {
      await Deno.mkdir(`${folder}/d`);
      await Deno.writeTextFile(
        `${folder}/balancer.yaml`,
        `listeners: [{ name: a, listen: "127.0.0.1:1", pool: a, idle_timeout: \${IDLE} }]
pools: { a: { backends: ["[\${HOST}]:\${PORT}"] } }
defaults: { pool: { health_check: { type: expect, send: "AUTH \${PASSWORD}\\r\\n", expect: '\${OK:-OK}$\${', port: \${PORT} } } }
include: [d/*.yaml]
`,
      );
      await Deno.writeTextFile(
        `${folder}/d/b.yaml`,
        `pools: { b: { backends: ["unix:$\${b.sock"], health_check: { type: http, path: "/\${PASSWORD}" } } }\n`,
      );
      const config = await readConfig(`${folder}/balancer.yaml`);
      const text = plainJson(shownConfig(config));
      assert.doesNotMatch(text, /hunter2/);
      const { listeners, pools } = JSON.parse(text);
      assert.equal(listeners[0].idle_timeout, "5m");
      assert.equal(pools.a.backends[0].address, "[::1]:82");
      const { send, expect, port } = pools.a.health_check;
      assert.deepEqual([send, expect, port], ["AUTH ${PASSWORD}\r\n", "OK$${", 82]);
      assert.equal(pools.b.health_check.path, "/${PASSWORD}");
      const { notes: _1, ...again } = await readBack(config, folder);
      const { notes: _2, ...before } = config;
      assert.deepEqual(again, before);
    });
  } finally {
    Deno.env.get = get;
  }
});

Deno.test("so do the sample, and what the command line says", async () => {
  await inFolder(async (folder) => {
    const short = { listen: parseListenAddress(":5678"), backends: [], algorithm: "maglev" } as const;
    for (const config of [sampleConfig(), configOf(short)]) {
      const { notes: _, ...again } = await readBack(config, folder);
      const { notes: __, ...before } = config;
      assert.deepEqual(again, before);
    }
  });
});

Deno.test("every key of the schema is set above, so that a new one has to read back as well", () => {
  const words = new Set(EVERY_KEY.match(/[a-z_]+(?=:)/g));
  const missing = keysOf(configJsonSchema()).filter((key) => !words.has(key));
  assert.deepEqual(missing, []);
});

/** Every key of every map with fixed keys. */
function keysOf(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(keysOf);
  if (typeof schema !== "object" || schema === null) return [];
  const own = "properties" in schema ? Object.keys(schema.properties as object) : [];
  return [...own, ...Object.values(schema).flatMap(keysOf)];
}

Deno.test("an admin side on a Unix socket shows the mode of its file as it is written", () => {
  const text = `listeners: [{ listen: ":1", pool: p }]
pools: { p: { backends: ["127.0.0.1:1"] } }
admin: { listen: "unix:/run/admin.sock", mode: "640", group: www-data }
`;
  const config = parseConfig(text, "/etc/b.yaml");
  const { admin } = shownConfig(config) as { admin: unknown };
  assert.deepEqual(admin, {
    listen: "unix:/run/admin.sock",
    token_file: undefined,
    mode: "0640",
    group: "www-data",
  });
  assert.deepEqual(parseConfig(plainJson(shownConfig(config)), "/etc/b.yaml").admin, config.admin);
});
