// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The configurations of docs/tls.md do what the text beside them says. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse.ts";
import { type Balancer, startBalancer } from "../../lib/control/balancer.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { chunks, writeAll } from "../../lib/core/connection.ts";
import { startBackend, startMirror } from "../support/backend.ts";
import { ask, askUntilGone, bytes, joined, readAll, readExactly, text } from "../support/bytes.ts";
import { makeCertificate, readPair } from "../support/certificates.ts";
import { type MemoryLog, memoryLog } from "../support/memory_log.ts";
import { onEachEngine } from "../support/engines.ts";
import { startTlsMirror } from "../support/tls_backend.ts";
import { onEachEngineWithTls, type TestCertificates } from "../support/tls_certificates.ts";
import { connectTls, startTls } from "../support/tls_client.ts";
import { alpn, hello, serverName } from "../wire/hello_builder.ts";

const markdown = await Deno.readTextFile(new URL("../../docs/tls.md", import.meta.url));
const CONFIGURATIONS = [...markdown.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml = ""]) => yaml);

interface Running extends AsyncDisposable {
  /** Of the listeners, in their order. */
  readonly ports: readonly number[];
  readonly log: MemoryLog;
}

/** Starts what stands in for the backend of an address. */
type StartBackend = (address: string) => Promise<{ readonly address: string } & AsyncDisposable>;

const mirrorWithName: StartBackend = (address) => Promise.resolve(startMirror({ says: `${address} ` }));

/**
 * Runs the configuration that has this line, on ports of this machine.
 *
 * @param folder Where its files are.
 * @param startOne By default each backend says its address before it echoes.
 */
async function run(
  engine: string,
  line: string,
  folder = ".",
  startOne: StartBackend = mirrorWithName,
): Promise<Running> {
  let yaml = CONFIGURATIONS.find((it) => it.includes(line)) ?? assert.fail(`nothing has ${line}`);
  const backends = await Promise.all(
    [...new Set(yaml.match(/10\.0\.\d\.\d:\d+/g))].map(async (address) => {
      return { address, backend: await startOne(address) };
    }),
  );
  for (const { address, backend } of backends) yaml = yaml.replaceAll(address, backend.address);
  yaml = yaml.replace(/listen: "?:\d+"?/g, 'listen: "127.0.0.1:0"').replace("10.0.0.0/24", "127.0.0.1")
    .replace(/\w+\.(?:pem|key)\b/g, (file) => `${folder}/${file}`);
  const config = parseConfig(yaml.concat(`workers: 1\nengine: ${engine}\n`), "docs/tls.md");
  const log = memoryLog();
  const balancer: Balancer = await startBalancer({ config, log: log.log });
  return {
    ports: balancer.addresses.map((it) => Number(it.split(":").at(-1))),
    log,
    [Symbol.asyncDispose]: async () => {
      await balancer.stop();
      await Promise.all(backends.map(({ backend }) => backend[Symbol.asyncDispose]()));
    },
  };
}

/** The backend that an answer comes from, by the address that it has in the document. */
function backendOf(answer: Uint8Array): string {
  return text(answer).split(" ")[0] ?? "";
}

onEachEngine(
  "docs/tls.md: routes lead to the pools that they name, and the rest is refused",
  async (engine) => {
    await using running = await run(engine, "routes:");
    const [port = 0] = running.ports;
    const api = backendOf(await ask(port, hello(serverName("api.example.com"), alpn("h2", "http/1.1"))));
    assert.match(api, /^10\.0\.0\.[12]:8443$/);
    assert.equal(
      backendOf(await ask(port, hello(serverName("API.example.com."), alpn("h2")))),
      api,
      "maglev",
    );
    for (
      const said of [hello(serverName("api.example.com")), hello(serverName("www.example.com"), alpn("h2"))]
    ) {
      assert.match(backendOf(await ask(port, said)), /^10\.0\.0\.[34]:443$/);
    }
    for (const said of [hello(serverName("example.com")), hello(), bytes("GET / HTTP/1.1\r\n\r\n")]) {
      assert.equal((await askUntilGone(port, said)).length, 0);
    }
  },
);

onEachEngine("docs/tls.md: protocols that begin TLS later have a port each", async (engine) => {
  await using running = await run(engine, "5433");
  const sslRequest = Uint8Array.of(0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f);
  const found = await Promise.all(running.ports.map(async (port) => backendOf(await ask(port, sslRequest))));
  assert.deepEqual(found, ["10.0.0.1:5432", "10.0.0.2:5432", "10.0.0.3:3306"]);
});

onEachEngine("docs/tls.md: the client of a PROXY header is passed on to the backend", async (engine) => {
  await using running = await run(engine, " proxy_protocol: { from");
  const [port = 0] = running.ports;
  const header = bytes("PROXY TCP4 192.0.2.1 198.51.100.7 56324 80\r\n");
  const answer = await ask(port, joined([header, bytes("hello")]));
  const said = readProxyHeader(answer.subarray(backendOf(answer).length + 1));
  assert.deepEqual(typeof said === "object" && "source" in said && said.source, {
    transport: "tcp",
    host: "192.0.2.1",
    port: 56_324,
  });
});

/** The files that the configurations with TLS name, all of one authority. */
async function makeFiles({ authority }: TestCertificates): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir();
  const names = {
    shop: ["shop.example.com"],
    blog: ["blog.example.com"],
    balancer: [],
    server: ["api.internal"],
  };
  await Promise.all([
    ...Object.entries(names).map(([name, names]) =>
      makeCertificate(folder, name, { issuer: authority, names })
    ),
    ...["internal", "staff"].map((name) => Deno.copyFile(authority.cert, `${folder}/${name}.pem`)),
  ]);
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

onEachEngineWithTls(
  "docs/tls.md: TLS ends at the balancer, and backends are told of it",
  async (engine, certificates) => {
    const { authority: { pair } } = certificates;
    await using files = await makeFiles(certificates);
    await using running = await run(engine, "blog.pem", files.folder);
    const [port = 0] = running.ports;
    for (const name of ["shop.example.com", "blog.example.com"]) {
      using client = await startTls(port, name, pair.cert);
      await writeAll(client, bytes("hello"));
      await client.closeWrite();
      const answer = await readAll(client);
      const backend = backendOf(answer);
      assert.match(backend, /^10\.0\.0\.[12]:80$/);
      const header = readProxyHeader(answer.subarray(backend.length + 1));
      assert.ok(typeof header === "object" && "tlvs" in header);
      assert.ok(header.tlvs.some(({ value }) => text(value) === name));
      assert.ok(text(answer).includes("TLSv1.3") && text(answer).endsWith("hello"));
    }
    // Without a protocol a client comes in, with others alone it does not, nor with TLS 1.2.
    (await connectTls(port)).destroy();
    await assert.rejects(connectTls(port, { ALPNProtocols: ["imap"] }));
    await assert.rejects(connectTls(port, { maxVersion: "TLSv1.2" }));
  },
);

onEachEngineWithTls(
  "docs/tls.md: TLS begins again towards the backends, after a header",
  async (engine, certificates) => {
    const { authority: { pair } } = certificates;
    await using files = await makeFiles(certificates);
    const server = await readPair({ cert: `${files.folder}/server.pem`, key: `${files.folder}/server.key` });
    await using mirror = await startTlsMirror(server);
    const headers: number[] = [];
    // Takes the header off, and passes TLS on.
    const startBehindHeader: StartBackend = () => {
      const front = startBackend(async (conn) => {
        const fixed = await readExactly(conn, 16);
        await readExactly(conn, (fixed[14] ?? 0) << 8 | (fixed[15] ?? 0));
        headers.push(fixed[12] ?? 0);
        using behind = await Deno.connect({ hostname: "127.0.0.1", port: mirror.port });
        await Promise.all([passOn(conn, behind), passOn(behind, conn)]);
      });
      return Promise.resolve(Object.assign(front, { [Symbol.asyncDispose]: () => front.stop() }));
    };
    await using running = await run(engine, "path: /health", files.folder, startBehindHeader);
    using client = await startTls(running.ports[0] ?? 0, "shop.example.com", pair.cert);
    await writeAll(client, bytes("hello"));
    await client.closeWrite();
    assert.equal(text(await readAll(client)), "hello");
    assert.ok(headers.includes(0x21), "a header with a client");
    assert.ok(mirror.served.every(({ serverName }) => serverName === "api.internal"));
  },
);

async function passOn(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  for await (const chunk of chunks(from)) await writeAll(to, chunk);
  await to.closeWrite();
}

onEachEngineWithTls(
  "docs/tls.md: clients show a certificate to the balancer, and the balancer one to backends",
  async (engine, certificates) => {
    const { authority: { pair }, client: { pair: own } } = certificates;
    await using files = await makeFiles(certificates);
    const server = await readPair({ cert: `${files.folder}/server.pem`, key: `${files.folder}/server.key` });
    const startOne: StartBackend = () => startTlsMirror({ ...server, ca: [pair.cert], requestCert: true });
    await using running = await run(engine, "client_ca:", files.folder, startOne);
    const [port = 0] = running.ports;
    using client = await Deno.connectTls({
      hostname: "127.0.0.1",
      port,
      caCerts: [pair.cert],
      ...own,
      unsafelyDisableHostnameVerification: true,
    });
    await writeAll(client, bytes("hello"));
    await client.closeWrite();
    assert.equal(text(await readAll(client)), "hello");
    const { fields } = await running.log.waitFor("session");
    assert.equal(fields.subject, "O=Clients, CN=client one");
    (await connectTls(port).catch(() => undefined))?.destroy();
    assert.equal(
      (await running.log.waitFor("session", ({ end }) => end === "tls_failed")).fields.why,
      "it has shown no certificate",
    );
  },
);
