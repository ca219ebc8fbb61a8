// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** TLS that ends at a balancer, or begins there, between real programs: OpenSSL, curl, HAProxy and nginx. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { TLV_TYPE } from "../../lib/wire/proxy_header.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { startMirror } from "../support/backend.ts";
import { localPort, startTestBalancer, type TestBalancer } from "../support/balancer.ts";
import { ask, bytes, readAll, text } from "../support/bytes.ts";
import { runCommand, RunningCommand } from "../support/command.ts";
import { findProgram, pathOf } from "../support/packages.ts";
import {
  HAPROXY,
  NGINX,
  NGINX_STREAM,
  nginxHttp,
  onEachEngineWith,
  startHaproxy,
  startNginx,
  whenAccepting,
} from "../support/peers.ts";
import { refusedPort } from "../support/ports.ts";
import { type TestCertificate, testCertificates } from "../support/tls_certificates.ts";
import { startTls } from "../support/tls_client.ts";

const CURL = await findProgram("curl", "curl");
const OPENSSL = await findProgram("openssl", "openssl");

const GET = bytes("GET / HTTP/1.0\r\n\r\n");

function files({ cert, key }: TestCertificate): { cert: string; key: string } {
  return { cert, key };
}

/** A certificate with its key in one file, as HAProxy has them. */
async function inOne({ cert, key }: TestCertificate): Promise<string> {
  const both = `${cert}.both`;
  await Deno.writeTextFile(both, await Deno.readTextFile(cert) + await Deno.readTextFile(key));
  return both;
}

/** A listener that opens TLS for `a.example`, and wants certificates of clients if it has an authority for them. */
function start(
  engine: EngineName,
  backend: string,
  { a }: { readonly a: TestCertificate },
  { tls = {}, listener = {}, pool = {} }: Record<string, Record<string, unknown>> = {},
): Promise<TestBalancer> {
  return startTestBalancer({
    engine,
    backends: [backend],
    listener: { tls: { certificates: [files(a)], ...tls }, ...listener },
    pool,
  });
}

/** What stands in an answer of HTTP. */
function bodyOf(answer: Uint8Array | string): string | undefined {
  return (typeof answer === "string" ? answer : text(answer)).split("\r\n\r\n")[1];
}

onEachEngineWith(
  [CURL, NGINX, NGINX_STREAM],
  "curl verifies the certificate and speaks to a plain nginx, with TLS 1.2 and 1.3 and its own certificate",
  async (engine) => {
    const { a, authority, client } = await testCertificates();
    const behind = refusedPort();
    await using _ = await startNginx(
      behind,
      nginxHttp(`listen 127.0.0.1:${behind}; location / { return 200 "$scheme $http_host"; }`),
    );
    await using balancer = await start(engine, `127.0.0.1:${behind}`, { a }, {
      tls: { client_ca: authority.cert, alpn: ["http/1.1"] },
    });
    const { port } = balancer;
    const curl = [pathOf(CURL), "--silent", "--show-error", "--cacert", authority.cert];
    const at = ["--resolve", `a.example:${port}:127.0.0.1`, `https://a.example:${port}/`];
    for (const version of ["1.2", "1.3"]) {
      const { stdout, stderr } = await runCommand([
        ...curl,
        ...["--cert", client.cert, "--key", client.key, "--write-out", " %{local_port}"],
        ...[`--tlsv${version}`, "--tls-max", version],
        ...at,
      ]);
      const [, clientPort] = /^http a\.example:\d+ (\d+)$/.exec(stdout) ?? assert.fail(stdout + stderr);
      const record = await balancer.recordOf(Number(clientPort));
      assert.deepEqual([record.tls, record.alpn, record.subject, record.server_name, record.end], [
        `TLSv${version}`,
        ["http/1.1"],
        "O=Clients, CN=client one",
        "a.example",
        "done",
      ]);
    }
    assert.notEqual((await runCommand([...curl, ...at])).status, 0);
    const refused = await balancer.log.waitFor("session", ({ end }) => end === "tls_failed");
    assert.equal(refused.fields.why, "it has shown no certificate");
  },
);

for (const version of ["-tls1_2", "-tls1_3"]) {
  onEachEngineWith(
    [OPENSSL],
    `openssl s_server is verified, and verifies the balancer, which speaks to it for a client without TLS (${version})`,
    async (engine) => {
      const { b, authority, client, stranger } = await testCertificates();
      const behind = refusedPort();
      await using _ = await whenAccepting(
        new RunningCommand([
          ...[pathOf(OPENSSL), "s_server", "-accept", `127.0.0.1:${behind}`, "-www", "-quiet", version],
          ...[
            "-cert",
            b.cert,
            "-key",
            b.key,
            "-CAfile",
            authority.cert,
            "-Verify",
            "1",
            "-verify_return_error",
          ],
        ]),
        behind,
      );
      const balancerWith = (own: TestCertificate): Promise<TestBalancer> =>
        startTestBalancer({
          engine,
          backends: [`127.0.0.1:${behind}`],
          pool: { retries: 0, tls: { ca: authority.cert, server_name: "b.example", ...files(own) } },
        });
      {
        await using balancer = await balancerWith(client);
        const answer = text(await ask(balancer.port, GET));
        assert.match(answer, /^HTTP\/1\.0 200 ok/);
        assert.match(answer, new RegExp(`New, TLSv${version === "-tls1_2" ? "1.2" : "1.3"}, `));
        assert.match(answer, /Subject: O ?= ?Clients, CN ?= ?client one/);
      }
      await using balancer = await balancerWith(stranger);
      assert.equal(text(await ask(balancer.port, GET).catch(() => new Uint8Array())), "");
      const [record] = await balancer.waitForRecords(1);
      assert.ok(["dial_failed", "backend_reset"].includes(record?.end ?? ""), record?.end);
    },
  );
}

onEachEngineWith(
  [HAPROXY],
  "HAProxy behind, with accept-proxy and certificates on both sides, knows the client and the balancer",
  async (engine) => {
    const certificates = await testCertificates();
    const { b, authority, client } = certificates;
    const behind = refusedPort();
    await using _ = await startHaproxy(
      behind,
      `frontend behind
  mode http
  bind 127.0.0.1:${behind} accept-proxy ssl crt ${await inOne(
        b,
      )} alpn http/1.1 verify required ca-file ${authority.cert}
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[ssl_fc_sni] %[ssl_fc_alpn] %[ssl_c_s_dn(cn)] %[fc_pp_authority] %[fc_pp_unique_id]"`,
    );
    await using balancer = await start(engine, `127.0.0.1:${behind}`, certificates, {
      pool: {
        send_proxy_protocol: { version: "v2", checksum: true },
        tls: { ca: authority.cert, server_name: "b.example", alpn: ["http/1.1"], ...files(client) },
      },
    });
    using conn = await startTls(balancer.port, "a.example", authority.pair.cert);
    await writeAll(conn, GET);
    const body = bodyOf(await readAll(conn));
    await conn.closeWrite();
    const { id, end, tls } = await balancer.recordOf(conn.localAddr.port);
    assert.deepEqual([end, tls], ["done", "TLSv1.3"]);
    const { port } = conn.localAddr;
    assert.equal(body, `127.0.0.1:${port} b.example http/1.1 client one a.example ${id}`);
  },
);

onEachEngineWith(
  [HAPROXY],
  "what a header says of TLS that ended at the balancer, and of the client's certificate, is what HAProxy in its place says",
  async (engine) => {
    const certificates = await testCertificates();
    const { a, authority, client } = certificates;
    const front = refusedPort();
    await using mirror = startMirror();
    await using _ = await startHaproxy(
      front,
      `listen front
  mode tcp
  bind 127.0.0.1:${front} ssl crt ${await inOne(a)} alpn h2 verify required ca-file ${authority.cert}
  server s ${mirror.address} send-proxy-v2-ssl proxy-v2-options ssl,authority`,
    );
    await using balancer = await start(engine, mirror.address, certificates, {
      tls: { alpn: ["h2"], client_ca: authority.cert },
      pool: { send_proxy_protocol: "v2" },
    });
    const said: string[][] = [];
    for (const port of [front, balancer.port]) {
      using conn = await Deno.connectTls({
        hostname: "127.0.0.1",
        port,
        alpnProtocols: ["h2"],
        ...client.pair,
        caCerts: [authority.pair.cert],
        unsafelyDisableHostnameVerification: true,
      });
      await writeAll(conn, bytes("hello"));
      await conn.closeWrite();
      const header = readProxyHeader(await readAll(conn));
      assert.ok(typeof header === "object" && !(header instanceof Malformed));
      const { value } = header.tlvs.find(({ type }) => type === TLV_TYPE.tls) ?? assert.fail("no TLS");
      said.push([[...value.subarray(0, 5)].join(" "), /TLSv1\.\d/.exec(text(value))?.[0] ?? ""]);
    }
    const [haproxys, ours] = said;
    assert.deepEqual(ours, haproxys);
    assert.equal(ours?.[1], "TLSv1.3");
  },
);

onEachEngineWith(
  [HAPROXY],
  "HAProxy in front, which opens TLS behind a header of its own, is known with its certificate and its client",
  async (engine) => {
    const certificates = await testCertificates();
    const { authority, client } = certificates;
    await using mirror = startMirror();
    await using balancer = await start(engine, mirror.address, certificates, {
      tls: { client_ca: authority.cert },
      listener: { proxy_protocol: { from: ["127.0.0.1"] } },
    });
    const front = refusedPort();
    await using _ = await startHaproxy(
      front,
      `listen front
  mode tcp
  bind 127.0.0.1:${front}
  server s 127.0.0.1:${balancer.port} send-proxy-v2 ssl verify required ca-file ${authority.cert} sni str(a.example) verifyhost a.example crt ${await inOne(
        client,
      )}`,
    );
    // Twice: HAProxy resumes its session.
    for (let i = 0; i < 2; i++) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: front });
      await writeAll(conn, bytes("hello"));
      await conn.closeWrite();
      assert.equal(text(await readAll(conn)), "hello");
      const record = await balancer.recordOf(localPort(conn));
      assert.deepEqual([record.end, record.subject, record.server_name, record.bytes_in], [
        "done",
        "O=Clients, CN=client one",
        "a.example",
        5,
      ]);
      assert.match(record.via ?? "", /^127\.0\.0\.1:/);
    }
  },
);

onEachEngineWith(
  [CURL, NGINX, NGINX_STREAM],
  "nginx behind, which answers the end of TLS by ending the connection alone, has come to its end and was not cut off",
  async (engine) => {
    const certificates = await testCertificates();
    const { b, authority } = certificates;
    const behind = refusedPort();
    await using _ = await startNginx(
      behind,
      nginxHttp(`listen 127.0.0.1:${behind} ssl; ssl_certificate ${b.cert}; ssl_certificate_key ${b.key};
location / { return 200 "hello"; }`),
    );
    await using balancer = await start(engine, `127.0.0.1:${behind}`, certificates, {
      pool: { tls: { ca: authority.cert, server_name: "b.example" } },
    });
    const { port } = balancer;
    for (let i = 0; i < 4; i++) {
      const { stdout, stderr } = await runCommand([
        ...[
          pathOf(CURL),
          "--silent",
          "--show-error",
          "--cacert",
          authority.cert,
          "--write-out",
          " %{local_port}",
        ],
        ...["--resolve", `a.example:${port}:127.0.0.1`, `https://a.example:${port}/`],
      ]);
      const [, clientPort] = /^hello (\d+)$/.exec(stdout) ?? assert.fail(stdout + stderr);
      assert.equal((await balancer.recordOf(Number(clientPort))).end, "done");
    }
  },
);

onEachEngineWith(
  [NGINX, NGINX_STREAM],
  "nginx in front opens TLS to the balancer, and this to the nginx behind, each with certificates on both sides",
  async (engine) => {
    const certificates = await testCertificates();
    const { b, authority, client } = certificates;
    const [front, behind] = [refusedPort(), refusedPort()];
    const shown = "$proxy_protocol_addr:$proxy_protocol_port $ssl_server_name $ssl_protocol $ssl_client_s_dn";
    await using _behind = await startNginx(
      behind,
      nginxHttp(`listen 127.0.0.1:${behind} ssl proxy_protocol;
ssl_certificate ${b.cert}; ssl_certificate_key ${b.key}; ssl_protocols TLSv1.2 TLSv1.3;
ssl_verify_client on; ssl_client_certificate ${authority.cert};
location / { return 200 "${shown}"; }`),
    );
    await using balancer = await start(engine, `127.0.0.1:${behind}`, certificates, {
      tls: { client_ca: authority.cert },
      listener: { proxy_protocol: { from: ["127.0.0.1"] } },
      pool: {
        send_proxy_protocol: "v2",
        tls: { ca: authority.cert, server_name: "b.example", ...files(client) },
      },
    });
    await using _front = await startNginx(
      front,
      `stream { server {
  listen 127.0.0.1:${front};
  proxy_pass 127.0.0.1:${balancer.port};
  proxy_protocol on;
  proxy_ssl on; proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_server_name on; proxy_ssl_name a.example;
  proxy_ssl_verify on; proxy_ssl_trusted_certificate ${authority.cert};
  proxy_ssl_certificate ${client.cert}; proxy_ssl_certificate_key ${client.key};
} }`,
    );
    for (let i = 0; i < 3; i++) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: front });
      await writeAll(conn, GET);
      const body = bodyOf(await readAll(conn));
      assert.equal(body, `127.0.0.1:${localPort(conn)} b.example TLSv1.3 CN=client one,O=Clients`);
      // It ends its connection without ending TLS, when it has been told the end.
      const { subject, end } = await balancer.recordOf(localPort(conn));
      assert.deepEqual([subject, end], ["O=Clients, CN=client one", "done"]);
    }
  },
);
