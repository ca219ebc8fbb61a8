// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** PostgreSQL and Redis with TLS: passed through, ended at the balancer, and begun there. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { startTestBalancer, type TestBalancer } from "../support/balancer.ts";
import { bytes } from "../support/bytes.ts";
import { makeCertificate } from "../support/certificates.ts";
import { type Finished, runCommand, RunningCommand } from "../support/command.ts";
import { findProgram, pathOf } from "../support/packages.ts";
import { onEachEngineWith, whenAccepting } from "../support/peers.ts";
import { refusedPort } from "../support/ports.ts";
import { type TestCertificate, testCertificates } from "../support/tls_certificates.ts";

const OPENSSL = await findProgram("openssl", "openssl");
const REDIS = await findProgram("redis-server", "redis-server");
const REDIS_CLI = await findProgram("redis-cli", "redis-tools");
// Debian has it beside the PATH, in a folder of its version.
const POSTGRES = await findProgram("/usr/lib/postgresql/*/bin/postgres", "postgresql");
const PSQL = await findProgram("psql", "postgresql-client");

/** PostgreSQL does not run as root. */
const NOT_ROOT = Deno.uid() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];

function files({ cert, key }: TestCertificate): { cert: string; key: string } {
  return { cert, key };
}

interface Redis extends AsyncDisposable {
  readonly address: string;
}

/** Redis with TLS, which wants certificates of clients or not; without `tls`, without TLS. */
async function startRedis(tls?: { readonly clients: "yes" | "no" }): Promise<Redis> {
  const { b, authority } = await testCertificates();
  const port = refusedPort();
  const own = tls === undefined ? ["--port", String(port)] : [
    ...["--port", "0", "--tls-port", String(port), "--tls-auth-clients", tls.clients],
    ...["--tls-cert-file", b.cert, "--tls-key-file", b.key, "--tls-ca-cert-file", authority.cert],
  ];
  const folder = await Deno.makeTempDir();
  const server = new RunningCommand([
    ...[pathOf(REDIS), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder],
    ...own,
  ]);
  const running = await whenAccepting(server, port, () => Deno.remove(folder, { recursive: true }));
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

/** Writes a value and reads it again. */
async function useRedis(port: number, ...args: readonly string[]): Promise<void> {
  const cli = [pathOf(REDIS_CLI), "-h", "127.0.0.1", "-p", String(port), "--no-auth-warning", ...args];
  const value = "some value ".repeat(20_000);
  const set = await runCommand([...cli, "-x", "SET", "key"], { input: bytes(value) });
  assert.equal(set.stdout, "OK\n", set.stderr);
  const got = await runCommand([...cli, "--raw", "GET", "key"]);
  assert.equal(got.stdout, `${value}\n`, got.stderr);
}

async function withTls(...more: readonly string[]): Promise<string[]> {
  const { authority } = await testCertificates();
  return ["--tls", "--cacert", authority.cert, ...more];
}

/** All sessions have been served. Both of Redis, the client and the server, end a connection without ending TLS: where TLS is open, that is a cut. */
async function allServed(balancer: TestBalancer, count: number): Promise<void> {
  for (const { end, bytes_in, bytes_out } of await balancer.waitForRecords(count)) {
    assert.ok(["done", "client_reset", "backend_reset"].includes(end), end);
    assert.ok(bytes_in > 0 && bytes_out > 0);
  }
}

onEachEngineWith(
  [OPENSSL, REDIS, REDIS_CLI],
  "redis-cli --tls reaches the Redis that it names, with its certificate, through TLS that is passed on",
  async (engine) => {
    const { client } = await testCertificates();
    await using redis = await startRedis({ clients: "yes" });
    await using balancer = await startTestBalancer({
      engine,
      backends: ["127.0.0.1:1"],
      listener: { pool: undefined, routes: [{ sni: "b.example", pool: "redis" }] },
      otherPools: { redis: { backends: [redis.address] } },
    });
    await useRedis(
      balancer.port,
      ...await withTls("--sni", "b.example", "--cert", client.cert, "--key", client.key),
    );
    await allServed(balancer, 2);
  },
);

onEachEngineWith(
  [OPENSSL, REDIS, REDIS_CLI],
  "redis-cli --tls speaks to a Redis without TLS, with the TLS of the balancer, which wants its certificate",
  async (engine) => {
    const { a, authority, client } = await testCertificates();
    await using redis = await startRedis();
    await using balancer = await startTestBalancer({
      engine,
      backends: [redis.address],
      listener: { tls: { certificates: [files(a)], client_ca: authority.cert } },
    });
    const shown = ["--cert", client.cert, "--key", client.key];
    await useRedis(balancer.port, ...await withTls("--sni", "a.example", ...shown));
    await allServed(balancer, 2);
    assert.equal(balancer.records()[0]?.subject, "O=Clients, CN=client one");
    const without = await runCommand([
      ...[pathOf(REDIS_CLI), "-h", "127.0.0.1", "-p", String(balancer.port), ...await withTls(), "PING"],
    ]);
    assert.doesNotMatch(without.stdout, /PONG/);
  },
);

for (const inward of [false, true]) {
  onEachEngineWith(
    [OPENSSL, REDIS, REDIS_CLI],
    `redis-cli ${
      inward ? "with" : "without"
    } TLS speaks to a Redis that wants the certificate of the balancer, and answers its checks`,
    async (engine) => {
      const { a, authority, client } = await testCertificates();
      await using redis = await startRedis({ clients: "yes" });
      await using balancer = await startTestBalancer({
        engine,
        backends: [redis.address],
        listener: inward ? { tls: { certificates: [files(a)] } } : {},
        pool: {
          tls: { ca: authority.cert, server_name: "b.example", ...files(client) },
          initial: "down",
          health_check: { type: "expect", send: "PING\r\n", expect: "+PONG", rise: 1, interval: "100ms" },
        },
      });
      await balancer.log.waitFor("backend_up");
      await useRedis(balancer.port, ...inward ? await withTls() : []);
      await allServed(balancer, 2);
    },
  );
}

interface Postgres extends AsyncDisposable {
  readonly address: string;
  readonly authority: string;
  /** Of the role `tester`. */
  readonly client: { readonly cert: string; readonly key: string };
}

/** PostgreSQL whose clients have to come with TLS and a certificate for their role. */
async function startPostgres(): Promise<Postgres> {
  const folder = await Deno.makeTempDir();
  const { authority, b } = await testCertificates();
  const client = await makeCertificate(folder, "tester", { issuer: authority, subject: "/CN=tester" });
  await Deno.copyFile(b.cert, `${folder}/server.pem`);
  await Deno.copyFile(b.key, `${folder}/server.key`);
  await Deno.copyFile(authority.cert, `${folder}/ca.pem`);
  await Deno.writeTextFile(`${folder}/hba`, "hostssl all all 127.0.0.1/32 cert\n");
  await Deno.chmod(`${folder}/server.key`, 0o600);
  if (NOT_ROOT.length > 0) await runCommand(["chown", "-R", "65534:65534", folder]);
  const data = `${folder}/data`;
  const initdb = pathOf(POSTGRES).replace(/postgres$/, "initdb");
  const options = ["--username=tester", "--auth=trust", "--no-sync", "--no-instructions", "--locale=C"];
  const made = await runCommand([...NOT_ROOT, initdb, "-D", data, ...options], { cwd: folder });
  assert.equal(made.status, 0, made.stderr);
  const port = refusedPort();
  const settings = {
    ...{ listen_addresses: "127.0.0.1", port, unix_socket_directories: "", fsync: "off", ssl: "on" },
    ...{ ssl_cert_file: `${folder}/server.pem`, ssl_key_file: `${folder}/server.key` },
    ...{ ssl_ca_file: `${folder}/ca.pem`, hba_file: `${folder}/hba` },
  };
  const set = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = new RunningCommand([...NOT_ROOT, pathOf(POSTGRES), "-D", data, ...set], { cwd: folder });
  const running = await whenAccepting(server, port, () => Deno.remove(folder, { recursive: true }));
  await server.sees(/ready to accept connections/);
  return {
    address: `127.0.0.1:${port}`,
    authority: authority.cert,
    client,
    [Symbol.asyncDispose]: async () => {
      // Killed, it would leave its processes and its shared memory.
      server.kill("SIGINT");
      await server.finished;
      await running[Symbol.asyncDispose]();
    },
  };
}

/** Asks through the balancer by the name of the server, whose certificate is verified in full. */
function query(
  { port }: TestBalancer,
  { authority, client }: Postgres,
  sql: string,
  host = "b.example",
): Promise<Finished> {
  const where = {
    ...{ host, hostaddr: "127.0.0.1", port, user: "tester", dbname: "postgres", sslmode: "verify-full" },
    ...{ sslrootcert: authority, sslcert: client.cert, sslkey: client.key, connect_timeout: 5 },
  };
  const conninfo = Object.entries(where).map(([name, value]) => `${name}=${value}`).join(" ");
  return runCommand([pathOf(PSQL), conninfo, "-X", "-A", "-t", "-c", sql]);
}

onEachEngineWith(
  [OPENSSL, POSTGRES, PSQL],
  "psql begins TLS in the words of PostgreSQL through a plain listener, verified in full on both sides, and through no other",
  async (engine: EngineName) => {
    const { a } = await testCertificates();
    await using postgres = await startPostgres();
    await using plain = await startTestBalancer({ engine, backends: [postgres.address] });
    const sql = "SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    const { stdout, stderr } = await query(plain, postgres, sql);
    assert.equal(stdout, "t|/CN=tester\n", stderr);
    const large = await query(plain, postgres, "SELECT repeat('0123456789', 300000)");
    assert.equal(large.stdout, `${"0123456789".repeat(300_000)}\n`);
    // The side that closes first has not read the close_notify of the other, so the system sends a reset.
    await allServed(plain, 2);
    const wrong = await query(plain, postgres, sql, "other.example");
    assert.match(wrong.stderr, /does not match host name "other\.example"/);

    // Its first word is not TLS.
    await using routing = await startTestBalancer({
      engine,
      backends: [postgres.address],
      listener: { pool: undefined, routes: [{ sni: "b.example", pool: "web" }] },
    });
    await using ending = await startTestBalancer({
      engine,
      backends: [postgres.address],
      listener: { tls: { certificates: [files(a)] } },
    });
    for (const [balancer, end] of [[routing, "no_route"], [ending, "tls_failed"]] as const) {
      assert.notEqual((await query(balancer, postgres, sql)).status, 0);
      assert.equal((await balancer.waitForRecords(1))[0]?.end, end);
    }
  },
);
