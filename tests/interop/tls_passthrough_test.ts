// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** TLS between real programs that goes by its server name through a balancer, which opens none of it. */

import assert from "node:assert/strict";
import type { EngineName } from "../../lib/config/engine_names.ts";
import { startTestBalancer, type TestBalancer } from "../support/balancer.ts";
import { bytes } from "../support/bytes.ts";
import { type CertificateFiles, makeCertificate } from "../support/certificates.ts";
import { type Finished, runCommand, RunningCommand } from "../support/command.ts";
import { findProgram, pathOf } from "../support/packages.ts";
import {
  NGINX,
  NGINX_STREAM,
  nginxHttp,
  onEachEngineWith,
  startNginx,
  whenAccepting,
} from "../support/peers.ts";
import { refusedPort } from "../support/ports.ts";

const CURL = await findProgram("curl", "curl");
const OPENSSL = await findProgram("openssl", "openssl");

/** A server of TLS, and its certificate, which is its own issuer. */
interface TlsServer extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly files: CertificateFiles;
}

async function startOpensslServer(folder: string, name: string): Promise<TlsServer> {
  const files = await makeCertificate(folder, name);
  const port = refusedPort();
  const server = new RunningCommand([
    ...[pathOf(OPENSSL), "s_server", "-quiet", "-www", "-accept", `127.0.0.1:${port}`],
    ...["-cert", files.cert, "-key", files.key, "-alpn", "h2,http/1.1"],
  ]);
  const running = await whenAccepting(server, port);
  return {
    name: `${name}.example`,
    port,
    files,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

/** Two servers behind one listener, which is told apart by name; no pool for the rest. */
async function withServers(
  engine: EngineName,
  test: (balancer: TestBalancer, servers: readonly TlsServer[], folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await using a = await startOpensslServer(folder, "a");
    await using b = await startOpensslServer(folder, "b");
    await using balancer = await startTestBalancer({
      engine,
      backends: [`127.0.0.1:${a.port}`],
      otherPools: { b: { backends: [`127.0.0.1:${b.port}`] } },
      listener: {
        pool: undefined,
        routes: [{ sni: "a.example", pool: "web" }, { sni: "b.example", pool: "b" }],
      },
    });
    await test(balancer, [a, b], folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Asks a server that shows what it knows of the connection, and has its certificate verified. */
function ask(balancer: TestBalancer, server: TlsServer, ...more: string[]): Promise<Finished> {
  return runCommand([
    ...[pathOf(OPENSSL), "s_client", "-connect", `127.0.0.1:${balancer.port}`, "-ign_eof"],
    ...["-servername", server.name, "-CAfile", server.files.cert, "-verify_hostname", server.name],
    ...["-verify_return_error", ...more],
  ], { input: bytes("GET / HTTP/1.0\r\n\r\n") });
}

for (const [flag, version] of [["-tls1_2", "TLSv1.2"], ["-tls1_3", "TLSv1.3"]] as const) {
  onEachEngineWith(
    [OPENSSL],
    `openssl s_client reaches the openssl s_server that it names, with ${version}, ALPN and a verified certificate`,
    async (engine) => {
      await withServers(engine, async (balancer, servers) => {
        for (const [i, server] of servers.entries()) {
          const { status, stdout, stderr } = await ask(balancer, server, flag, "-alpn", "http/1.1");
          assert.equal(status, 0, stderr);
          assert.match(stdout, /^Verification: OK$/m);
          assert.match(stdout, new RegExp(`^subject=CN = ${server.name}$`, "m"));
          assert.match(stdout, /^ALPN protocol: http\/1\.1$/m);
          assert.match(stdout, new RegExp(`^New, ${version}, `, "m"));
          assert.match(stdout, /^HTTP\/1\.0 200 ok/m);
          const record = (await balancer.waitForRecords(i + 1))[i];
          assert.deepEqual([record?.server_name, record?.alpn, record?.end, record?.pool], [
            server.name,
            ["http/1.1"],
            "done",
            i === 0 ? "web" : "b",
          ]);
        }
      });
    },
  );

  onEachEngineWith(
    [OPENSSL],
    `a session of ${version} is resumed through the balancer, at its own server alone`,
    async (engine) => {
      await withServers(engine, async (balancer, [a = assert.fail(), b = assert.fail()], folder) => {
        const session = `${folder}/session.pem`;
        const first = await ask(balancer, a, flag, "-sess_out", session);
        assert.match(first.stdout, /^New, TLS/m);
        const again = await ask(balancer, a, flag, "-sess_in", session);
        assert.match(again.stdout, new RegExp(`^Reused, ${version}, `, "m"));
        const other = await ask(balancer, b, flag, "-sess_in", session);
        assert.match(other.stdout, new RegExp(`^New, ${version}, `, "m"), "b knows nothing of it");
        const records = await balancer.waitForRecords(3);
        assert.deepEqual(records.map(({ pool }) => pool).sort(), ["b", "web", "web"]);
      });
    },
  );
}

onEachEngineWith(
  [OPENSSL],
  "openssl s_client is refused with a name that has no route, and without a name",
  async (engine) => {
    await withServers(engine, async (balancer) => {
      const connect = [pathOf(OPENSSL), "s_client", "-connect", `127.0.0.1:${balancer.port}`];
      for (const [i, name] of ["c.example", undefined].entries()) {
        const asked = name === undefined ? ["-noservername"] : ["-servername", name];
        const { status } = await runCommand([...connect, ...asked]);
        assert.notEqual(status, 0);
        const record = (await balancer.waitForRecords(i + 1))[i];
        assert.deepEqual([record?.end, record?.server_name], ["no_route", name]);
      }
    });
  },
);

onEachEngineWith(
  [OPENSSL, CURL, NGINX, NGINX_STREAM],
  "curl comes to the nginx that it names, which is told the client before TLS begins",
  async (engine) => {
    const folder = await Deno.makeTempDir();
    const { cert, key } = await makeCertificate(folder, "www");
    const [behind, front] = [refusedPort(), refusedPort()];
    const shown = "$proxy_protocol_addr:$proxy_protocol_port $ssl_server_name $ssl_protocol";
    await using _behind = await startNginx(
      behind,
      nginxHttp(`listen 127.0.0.1:${behind} ssl proxy_protocol;
ssl_certificate ${cert}; ssl_certificate_key ${key}; ssl_protocols TLSv1.2 TLSv1.3;
location / { return 200 "${shown}"; }`),
    );
    await using balancer = await startTestBalancer({
      engine,
      backends: ["127.0.0.1:1"],
      listener: {
        proxy_protocol: { from: ["127.0.0.1"] },
        routes: [{ sni: "*.example", alpn: ["h2", "http/1.1"], pool: "www" }],
      },
      otherPools: { www: { backends: [`127.0.0.1:${behind}`], send_proxy_protocol: "v2" } },
    });
    // It looks at the ClientHello as well, before it passes it on.
    await using _front = await startNginx(
      front,
      `stream { server {
  listen 127.0.0.1:${front};
  ssl_preread on;
  proxy_pass 127.0.0.1:${balancer.port};
  proxy_protocol on;
} }`,
    );
    for (const version of ["1.2", "1.3"]) {
      const { status, stdout, stderr } = await runCommand([
        ...[pathOf(CURL), "--silent", "--show-error", "--write-out", " %{local_port}", "--cacert", cert],
        ...[`--tlsv${version}`, "--tls-max", version, "--resolve", `www.example:${front}:127.0.0.1`],
        `https://www.example:${front}/`,
      ]);
      assert.equal(status, 0, stderr);
      const [, port = ""] = / (\d+)$/.exec(stdout) ?? [];
      assert.equal(stdout, `127.0.0.1:${port} www.example TLSv${version} ${port}`);
      const record = await balancer.recordOf(Number(port));
      assert.deepEqual([record.server_name, record.pool, record.end], ["www.example", "www", "done"]);
    }
    await Deno.remove(folder, { recursive: true });
  },
);
