// deno-lint-ignore-file no-await-in-loop -- one case after the other

/** Checks of backends that speak TLS. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type TlsOptions } from "node:tls";
import { writeAll } from "../../lib/core/connection.ts";
import type { TlsClientOptions } from "../../lib/core/tls_options.ts";
import type { TlsKeys } from "../../lib/engine/tls_contract.ts";
import type { CheckResult, HealthCheck } from "../../lib/health/check.ts";
import { type Opening, prepareProbe } from "../../lib/health/probe.ts";
import { TlsClients } from "../../lib/health/tls_clients.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { startTestBalancer, until } from "../support/balancer.ts";
import { bytes, joined } from "../support/bytes.ts";
import { makeCertificate, noOpenssl, readPair } from "../support/certificates.ts";
import { testCertificates } from "../support/tls_certificates.ts";
import { trusting } from "../support/tls_rig.ts";
import {
  answeringBackend,
  expectCheck,
  httpCheck,
  local,
  probeAt,
  silentBackend,
  tcpCheck,
} from "./checks.ts";

const CHECKS: readonly HealthCheck[] = [tcpCheck(), httpCheck(), expectCheck("PING\r\n", "PONG")];

function test(sentence: string, fn: () => Promise<void>): void {
  Deno.test({ name: sentence + noOpenssl.why, ignore: noOpenssl.ignore, fn });
}

interface TlsBackend extends AsyncDisposable {
  readonly port: number;
  /** How connections ended that TLS was opened on. */
  readonly ends: string[];
  /** The names that were asked for. */
  readonly names: (string | false | undefined)[];
}

/** Answers GET and PING by TLS. */
async function startTlsBackend(options: TlsOptions): Promise<TlsBackend> {
  const [ends, names] = [[] as string[], [] as TlsBackend["names"]];
  const server = createServer(options, (socket) => {
    names.push((socket as { servername?: string | false }).servername);
    socket.on("data", (data) => {
      if (data.toString().startsWith("GET ")) socket.end("HTTP/1.1 204 No Content\r\n\r\n");
      else socket.write("PONG");
    });
    socket.on("end", () => ends.push("ended")).on("error", (error) => ends.push(String(error)));
  });
  server.on("tlsClientError", (error) => ends.push(`failed: ${error.message}`));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : assert.fail(),
    ends,
    names,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

/** How a pool with these options and keys opens TLS. */
function opening(keys: TlsKeys, options: Partial<TlsClientOptions> = {}, host = "a.example"): Opening {
  const clients = new TlsClients();
  clients.renew(new Map([["p", keys]]));
  const client = () => clients.of("p", { serverName: undefined, alpn: [], verify: true, ...options });
  return { tls: { client, host } };
}

function checkOnce(port: number, check: HealthCheck, opens: Opening): Promise<CheckResult | undefined> {
  return probeAt(local(port), prepareProbe(check, opens));
}

test("checks of every kind are made by TLS, for the name of the pool or the host of the backend, and end it properly", async () => {
  const { a, authority } = await testCertificates();
  await using backend = await startTlsBackend(a.pair);
  const keys = trusting(authority.pair.cert);
  const results: (string | undefined)[] = [];
  for (const check of CHECKS) {
    results.push((await checkOnce(backend.port, check, opening(keys)))?.saw);
    results.push(
      (await checkOnce(backend.port, check, opening(keys, { serverName: "x.wild.example" })))?.saw,
    );
  }
  assert.deepEqual(results, [
    ...["connected, TLSv1.3", "connected, TLSv1.3", "HTTP 204", "HTTP 204"],
    ...['answered "PONG"', 'answered "PONG"'],
  ]);
  assert.deepEqual(backend.names, CHECKS.flatMap(() => ["a.example", "x.wild.example"]));
  await until(() => backend.ends.length >= 2, "the backend has seen the ends");
  assert.deepEqual(new Set(backend.ends), new Set(["ended"]));
});

test("a certificate that is not as the pool wants it fails a check, with a sentence", async () => {
  const { a, authority, expired, stranger } = await testCertificates();
  const keys = trusting(authority.pair.cert);
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const cases: [TlsOptions, Opening, string][] = [
    [expired.pair, opening(keys), `TLS: its certificate expired on ${yesterday}`],
    [a.pair, opening(keys, {}, "b.example"), "TLS: its certificate is not for b.example"],
    [stranger.pair, opening(keys), "TLS: its certificate is from none that is trusted here"],
  ];
  for (const [shown, opens, saw] of cases) {
    await using backend = await startTlsBackend(shown);
    for (const check of CHECKS) {
      assert.deepEqual(await checkOnce(backend.port, check, opens), { ok: false, saw });
    }
    const unverified = opening(keys, { verify: false });
    assert.equal((await checkOnce(backend.port, httpCheck(), unverified))?.saw, "HTTP 204");
  }
});

test("a backend that wants a client certificate is shown that of the pool; new keys are used for the next check", async () => {
  const { a, authority, client } = await testCertificates();
  const asks = { ...a.pair, requestCert: true, rejectUnauthorized: true, ca: authority.pair.cert };
  await using backend = await startTlsBackend(asks);
  const clients = new TlsClients();
  const options = { serverName: "a.example", alpn: [], verify: true };
  const probe = prepareProbe(httpCheck(), {
    tls: { client: () => clients.of("p", options), host: undefined },
  });
  clients.renew(new Map([["p", trusting(authority.pair.cert)]]));
  const without = await probeAt(local(backend.port), probe);
  assert.deepEqual(without, {
    ok: false,
    saw: "TLS: it wants to be shown a certificate; write cert and key in tls of the pool",
  });
  assert.ok(backend.ends.length > 0);
  clients.renew(new Map([["p", { pairs: [client.pair], authorities: authority.pair.cert }]]));
  assert.deepEqual(await probeAt(local(backend.port), probe), { ok: true, saw: "HTTP 204" });
});

test("a backend that speaks no TLS, says nothing or goes away has failed, in its time", async () => {
  const { authority } = await testCertificates();
  const opens = opening(trusting(authority.pair.cert));
  const silent = silentBackend();
  const leaving = startBackend(async (conn) => {
    await conn.read(new Uint8Array(4096));
  });
  const speaking = startBackend(async (conn) => {
    await conn.read(new Uint8Array(4096));
    await conn.write(bytes("220 mail ESMTP\r\n"));
  });
  for (const check of CHECKS) {
    assert.deepEqual(await checkOnce(silent.port, { ...check, timeoutMs: 250 }, opens), {
      ok: false,
      saw: "no TLS within 250ms",
    });
    assert.deepEqual(await checkOnce(leaving.port, check, opens), {
      ok: false,
      saw: "TLS: it ended the connection",
    });
    assert.deepEqual(await checkOnce(speaking.port, check, opens), {
      ok: false,
      saw: "TLS: what it sends is no handshake of TLS",
    });
  }
  await Promise.all([silent, leaving, speaking].map((it) => it.stop()));
});

/** Reads a header, and passes on what is behind it. */
function startBehindHeader(port: number, tell: (header: string) => void): TestBackend {
  return startBackend(async (conn) => {
    let all: Uint8Array = new Uint8Array();
    const buffer = new Uint8Array(4096);
    for (let filled = await conn.read(buffer); filled !== null; filled = await conn.read(buffer)) {
      all = joined([all, buffer.slice(0, filled)]);
      const header = readProxyHeader(all);
      if (header === "incomplete") continue;
      if (header instanceof Malformed) return tell(header.reason);
      tell(`v${header.version}${header.source === undefined ? "" : " with a client"}`);
      using behind = await Deno.connect({ hostname: "127.0.0.1", port });
      await writeAll(behind, all.subarray(header.length));
      await Promise.all([
        conn.readable.pipeTo(behind.writable, { preventClose: true }).then(() => behind.closeWrite()),
        behind.readable.pipeTo(conn.writable, { preventClose: true }).then(() => conn.closeWrite()),
      ].map((it) => it.catch(() => {})));
      return;
    }
  });
}

test("the PROXY header comes first, then TLS, then the check", async () => {
  const { a, authority } = await testCertificates();
  await using backend = await startTlsBackend(a.pair);
  for (const introduction of [{ version: 1, checksum: false }, { version: 2, checksum: true }] as const) {
    const headers: string[] = [];
    const front = startBehindHeader(backend.port, (header) => headers.push(header));
    const opens = { ...opening(trusting(authority.pair.cert)), introduction };
    assert.equal((await checkOnce(front.port, httpCheck(), opens))?.saw, "HTTP 204");
    assert.equal((await checkOnce(front.port, tcpCheck(), opens))?.saw, "connected, TLSv1.3");
    assert.deepEqual(headers, [`v${introduction.version}`, `v${introduction.version}`]);
    await front.stop();
  }
});

test("the checks of a pool use its keys, and those that its files have become, without a reload", async () => {
  const { a, authority, stranger } = await testCertificates();
  await using backend = await startTlsBackend(a.pair);
  const folder = await Deno.makeTempDir();
  const ca = `${folder}/ca.pem`;
  await Deno.writeTextFile(ca, stranger.pair.cert);
  await using balancer = await startTestBalancer({
    backends: [`127.0.0.1:${backend.port}`],
    pool: {
      tls: { ca, server_name: "a.example" },
      health_check: { type: "http", interval: "100ms", rise: 1 },
    },
  });
  const down = await balancer.log.waitFor("backend_down");
  assert.equal(down.fields.reason, "TLS: its certificate is from none that is trusted here");
  await Deno.writeTextFile(ca, authority.pair.cert);
  const up = await balancer.log.waitFor("backend_up");
  assert.equal(up.fields.reason, "HTTP 204");
  assert.ok(balancer.log.events.some(({ event }) => event === "keys_renewed"));
  await balancer.stop();
  await Deno.remove(folder, { recursive: true });
});

test("a backend with a name is asked for it, whatever its address", async () => {
  const folder = await Deno.makeTempDir();
  const files = await makeCertificate(folder, "own", { names: ["localhost"] });
  await using backend = await startTlsBackend(await readPair(files));
  await using balancer = await startTestBalancer({
    backends: [`localhost:${backend.port}`, { name: "by_address", address: `127.0.0.1:${backend.port}` }],
    pool: { initial: "down", tls: { ca: files.cert }, health_check: { type: "http", interval: "100ms" } },
  });
  const up = await balancer.log.waitFor("backend_up");
  assert.deepEqual([up.fields.backend, up.fields.reason], [`localhost:${backend.port}`, "HTTP 204"]);
  const [, byAddress] = balancer.balancer.plan.pools[0]?.backends ?? [];
  await until(
    () => balancer.balancer.health.of(byAddress?.row ?? assert.fail())?.reason !== "not checked yet",
    "the other is checked",
  );
  assert.equal(
    balancer.balancer.health.of(byAddress?.row ?? assert.fail())?.reason,
    "TLS: its certificate is not for 127.0.0.1",
  );
  await balancer.stop();
  await Deno.remove(folder, { recursive: true });
});

test("what is checked on a port of its own is asked without TLS", async () => {
  const { authority } = await testCertificates();
  const health = answeringBackend("HTTP/1.1 200 OK\r\n\r\n");
  const folder = await Deno.makeTempDir();
  const ca = `${folder}/ca.pem`;
  await Deno.writeTextFile(ca, authority.pair.cert);
  await using balancer = await startTestBalancer({
    backends: ["127.0.0.1:9"],
    pool: {
      initial: "down",
      tls: { ca, server_name: "a.example" },
      health_check: { type: "http", interval: "100ms", port: health.port },
    },
  });
  assert.equal((await balancer.log.waitFor("backend_up")).fields.reason, "HTTP 200");
  await balancer.stop();
  await health.stop();
  await Deno.remove(folder, { recursive: true });
});

test("when checking is stopped during a handshake, the check ends at once and has found out nothing", async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const silent = startBackend(async (conn) => {
    const buffer = new Uint8Array(4096);
    while (await conn.read(buffer) !== null) resolve();
  });
  const stop = new AbortController();
  const { authority } = await testCertificates();
  const probe = prepareProbe(httpCheck(), opening(trusting(authority.pair.cert)));
  const result = probeAt(local(silent.port), probe, stop.signal);
  await asked;
  stop.abort();
  assert.equal(await result, undefined);
  await silent.stop();
});
