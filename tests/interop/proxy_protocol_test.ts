// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** PROXY headers of HAProxy, nginx and curl, and those that HAProxy and nginx read. */

import assert from "node:assert/strict";
import { writeAll } from "../../lib/core/connection.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { TLV_TYPE } from "../../lib/wire/proxy_header.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { startMirror } from "../support/backend.ts";
import { localPort, startTestBalancer, type TestBalancer } from "../support/balancer.ts";
import { bytes, readAll, text } from "../support/bytes.ts";
import { makeCertificate } from "../support/certificates.ts";
import { runCommand } from "../support/command.ts";
import { findProgram, pathOf } from "../support/packages.ts";
import {
  HAPROXY,
  NGINX,
  NGINX_STREAM,
  nginxHttp,
  onEachEngineWith,
  startHaproxy,
  startNginx,
} from "../support/peers.ts";
import { refusedPort } from "../support/ports.ts";

const CURL = await findProgram("curl", "curl");
const OPENSSL = await findProgram("openssl", "openssl");

const FROM_LOOPBACK = { proxy_protocol: { from: ["127.0.0.1"] } };

/** Says hello to a proxy in front, and gives the port that it said it from. */
async function greet(front: number): Promise<number> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: front });
  await writeAll(conn, bytes("hello"));
  await conn.closeWrite();
  assert.equal(text(await readAll(conn)), "hello");
  return localPort(conn);
}

/** A session that has come through a proxy in front is known by its client. */
async function comesThrough(balancer: TestBalancer, front: number): Promise<void> {
  const record = await balancer.recordOf(await greet(front));
  assert.deepEqual([record.end, record.bytes_in, record.bytes_out], ["done", 5, 5]);
  assert.match(record.via ?? "", /^127\.0\.0\.1:\d+$/);
  assert.notEqual(record.via, record.client);
}

for (const option of ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"]) {
  onEachEngineWith(
    [HAPROXY],
    `HAProxy in front, with ${option}, is understood, and so are its checks`,
    async (engine) => {
      await using mirror = startMirror();
      await using balancer = await startTestBalancer({
        engine,
        backends: [mirror.address],
        listener: FROM_LOOPBACK,
      });
      const front = refusedPort();
      await using _ = await startHaproxy(
        front,
        `listen front
  mode tcp
  unique-id-format %{+X}o\\ %ci:%cp
  bind 127.0.0.1:${front}
  server s 127.0.0.1:${balancer.port} ${option} check inter 100ms`,
      );
      await comesThrough(balancer, front);
      // A check speaks for the proxy itself in version 2; in version 1 it names itself.
      const check = await balancer.log.waitFor("session", ({ client, via, bytes_in }) => {
        return client === via && bytes_in === 0;
      });
      assert.ok(["done", "client_reset"].includes(String(check.fields.end)), String(check.fields.end));
    },
  );
}

onEachEngineWith(
  [HAPROXY, OPENSSL],
  "what HAProxy in front has learned from TLS reaches the backend",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    const { cert, key } = await makeCertificate(folder, "www");
    await Deno.writeTextFile(
      `${folder}/both.pem`,
      await Deno.readTextFile(cert) + await Deno.readTextFile(key),
    );
    await using mirror = startMirror();
    await using balancer = await startTestBalancer({
      engine,
      backends: [mirror.address],
      listener: FROM_LOOPBACK,
      pool: { send_proxy_protocol: { version: "v2", checksum: true } },
    });
    const front = refusedPort();
    await using _ = await startHaproxy(
      front,
      `listen front
  mode tcp
  bind 127.0.0.1:${front} ssl crt ${folder}/both.pem alpn h2
  server s 127.0.0.1:${balancer.port} send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,authority,crc32c`,
    );
    using conn = await Deno.connectTls({
      hostname: "127.0.0.1",
      port: front,
      alpnProtocols: ["h2"],
      caCerts: [await Deno.readTextFile(cert)],
      unsafelyDisableHostnameVerification: true,
    });
    await writeAll(conn, bytes("hello"));
    await conn.closeWrite();
    const got = await readAll(conn);
    const header = readProxyHeader(got);
    assert.ok(typeof header === "object" && !(header instanceof Malformed));
    assert.equal(text(got.subarray(header.length)), "hello");
    assert.deepEqual(header.source, { transport: "tcp", host: "127.0.0.1", port: conn.localAddr.port });
    assert.deepEqual(header.destination, { transport: "tcp", host: "127.0.0.1", port: front });
    const tls = header.tlvs.find(({ type }) => type === TLV_TYPE.tls);
    assert.match(text(tls?.value ?? new Uint8Array()), /TLSv1\.3/);
    await Deno.remove(folder, { recursive: true });
  },
);

for (const version of ["v1", "v2"]) {
  onEachEngineWith(
    [HAPROXY],
    `HAProxy behind, with accept-proxy, is told the client by ${version}`,
    async (engine) => {
      const behind = refusedPort();
      await using _ = await startHaproxy(
        behind,
        `frontend behind
  mode http
  bind 127.0.0.1:${behind} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port] id=%[fc_pp_unique_id]"`,
      );
      for (const checksum of version === "v1" ? [false] : [false, true]) {
        await using balancer = await startTestBalancer({
          engine,
          backends: [`127.0.0.1:${behind}`],
          pool: { send_proxy_protocol: { version, checksum } },
        });
        using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
        await writeAll(conn, bytes("GET / HTTP/1.0\r\n\r\n"));
        const answer = text(await readAll(conn));
        await conn.closeWrite();
        const { id } = await balancer.recordOf(localPort(conn));
        const ends = `127.0.0.1:${localPort(conn)} 127.0.0.1:${balancer.port}`;
        assert.equal(answer.split("\r\n\r\n")[1], `${ends} id=${version === "v1" ? "" : id}`);
      }
    },
  );

  onEachEngineWith(
    [
      NGINX,
      NGINX_STREAM,
    ],
    `nginx behind, with listen … proxy_protocol, is told the client by ${version}`,
    async (engine) => {
      const behind = refusedPort();
      const shown =
        "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port";
      await using _ = await startNginx(
        behind,
        nginxHttp(`listen 127.0.0.1:${behind} proxy_protocol; location / { return 200 "${shown}"; }`),
      );
      await using balancer = await startTestBalancer({
        engine,
        backends: [`127.0.0.1:${behind}`],
        pool: { send_proxy_protocol: version },
      });
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
      await writeAll(conn, bytes("GET / HTTP/1.0\r\n\r\n"));
      const answer = text(await readAll(conn));
      assert.equal(
        answer.split("\r\n\r\n")[1],
        `127.0.0.1:${localPort(conn)} 127.0.0.1:${balancer.port}`,
        answer,
      );
    },
  );
}

onEachEngineWith(
  [NGINX, NGINX_STREAM],
  "nginx in front, with proxy_protocol on, is understood",
  async (engine) => {
    await using mirror = startMirror();
    await using balancer = await startTestBalancer({
      engine,
      backends: [mirror.address],
      listener: FROM_LOOPBACK,
    });
    const front = refusedPort();
    await using _ = await startNginx(
      front,
      `stream { server {
  listen 127.0.0.1:${front};
  proxy_pass 127.0.0.1:${balancer.port};
  proxy_protocol on;
  proxy_half_close on;
} }`,
    );
    await comesThrough(balancer, front);
  },
);

onEachEngineWith(
  [HAPROXY, NGINX, NGINX_STREAM],
  "between HAProxy in front and nginx behind both know the client",
  async (engine) => {
    const [front, behind] = [refusedPort(), refusedPort()];
    await using _nginx = await startNginx(
      behind,
      nginxHttp(
        `listen 127.0.0.1:${behind} proxy_protocol; location / { return 200 "$proxy_protocol_addr:$proxy_protocol_port"; }`,
      ),
    );
    await using balancer = await startTestBalancer({
      engine,
      backends: [`127.0.0.1:${behind}`],
      listener: FROM_LOOPBACK,
      pool: { send_proxy_protocol: "v1" },
    });
    await using _haproxy = await startHaproxy(
      front,
      `listen front
  mode tcp
  bind 127.0.0.1:${front}
  server s 127.0.0.1:${balancer.port} send-proxy-v2`,
    );
    for (let i = 0; i < 10; i++) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: front });
      await writeAll(conn, bytes("GET / HTTP/1.0\r\n\r\n"));
      assert.equal(text(await readAll(conn)).split("\r\n\r\n")[1], `127.0.0.1:${localPort(conn)}`);
    }
  },
);

onEachEngineWith(
  [
    CURL,
    HAPROXY,
  ],
  "curl --haproxy-protocol is understood, and refused where no header is expected from it",
  async (engine) => {
    const behind = refusedPort();
    await using _ = await startHaproxy(
      behind,
      `frontend behind
  mode http
  bind 127.0.0.1:${behind}
  http-request return status 200 content-type text/plain string "hello"`,
    );
    await using balancer = await startTestBalancer({
      engine,
      backends: [`127.0.0.1:${behind}`],
      listener: FROM_LOOPBACK,
    });
    const curl = [
      pathOf(CURL),
      "--silent",
      "--write-out",
      " %{local_port}",
      `http://127.0.0.1:${balancer.port}/`,
    ];
    const { status, stdout } = await runCommand([...curl, "--haproxy-protocol"]);
    assert.equal(status, 0);
    const [, port] = /^hello (\d+)$/.exec(stdout) ?? [];
    const record = await balancer.recordOf(Number(port));
    assert.deepEqual([record.end, record.via], ["done", record.client]);
    const without = await runCommand(curl);
    assert.notEqual(without.status, 0);
    const refused = await balancer.log.waitFor("session", ({ end }) => end === "proxy_invalid");
    assert.equal(refused.fields.why, "the connection does not begin with a PROXY protocol header");
  },
);
