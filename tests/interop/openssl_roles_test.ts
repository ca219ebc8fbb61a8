// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** The client and the server with TLS, each as its users run it, against openssl and against each other. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { noOpenssl, opensslPath } from "../support/certificates.ts";
import { type Finished, RunningCommand, SOCKBAL, sockbal, startSockbal } from "../support/command.ts";
import { pattern } from "../support/bytes.ts";
import { type TestCertificate, testCertificates } from "../support/tls_certificates.ts";
import { runClient } from "../support/tls_client.ts";

const { ignore, why } = noOpenssl;

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${why}`, ignore, fn });
}

interface OpensslServer extends AsyncDisposable {
  readonly address: string;
  readonly running: RunningCommand;
}

/** `openssl s_server`, which sends back each line with its characters in reverse order. */
async function startOpenssl({ cert, key }: TestCertificate, ...args: string[]): Promise<OpensslServer> {
  const running = new RunningCommand([
    ...[opensslPath(), "s_server", "-accept", "127.0.0.1:0", "-rev", "-cert", cert, "-key", key, ...args],
  ]);
  const [, address = ""] = await running.sees(/^ACCEPT (\S+)$/m, "stdout");
  return { address, running, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

function ask(address: string, ...args: string[]): Promise<Finished> {
  return sockbal("--role", "client", "--connect", address, "--message", "hello", "--tls", ...args);
}

async function startServer(
  ...args: string[]
): Promise<{ server: RunningCommand; address: string; port: number }> {
  const server = startSockbal("--role", "server", "--listen", "127.0.0.1:0", "--log-level", "debug", ...args);
  const [, address = "", port = ""] = await server.sees(/listening address=(127\.0\.0\.1:(\d+))/);
  return { server, address, port: Number(port) };
}

test("a client ends TLS when it has sent everything, and still reads the answer", async () => {
  const { authority, a } = await testCertificates();
  const trusting = ["--ca", authority.cert, "--server-name", "a.example"];
  for (const version of ["-tls1_2", "-tls1_3"]) {
    await using server = await startOpenssl(a, version);
    const { status, stdout, stderr } = await ask(server.address, ...trusting);
    assert.deepEqual([status, stdout, stderr], [0, "olleh\n", ""], version);
  }
});

test("a client says what was agreed upon to those who debug", async () => {
  const { authority, a } = await testCertificates();
  await using server = await startOpenssl(a, "-alpn", "http/1.1");
  const { stdout, stderr } = await ask(
    server.address,
    ...[
      "--ca",
      authority.cert,
      "--server-name",
      "A.Example",
      "--alpn",
      "h2,http/1.1",
      "--log-level",
      "debug",
    ],
  );
  assert.equal(stdout, "olleh\n");
  assert.match(
    stderr,
    / debug tls_opened server_name=a\.example version=TLSv1\.3 alpn=http\/1\.1 subject="O=Org a, CN=a\.example"\n/,
  );
});

test("a certificate that is not accepted is one sentence with what to do, and status 1", async () => {
  const { authority, a, ip, expired, stranger } = await testCertificates();
  const named = ["--server-name", "a.example", "--ca", authority.cert];
  const cases: [TestCertificate, string[], RegExp][] = [
    [a, ["--ca", authority.cert], /its certificate is not for 127\.0\.0\.1; .*--server-name.*--insecure/],
    [a, ["--ca", authority.cert, "--server-name", "b.example"], /its certificate is not for b\.example; /],
    [a, ["--server-name", "a.example"], /its certificate is from none that is trusted here; .*--ca FILE/],
    [stranger, named, /its certificate is from none that is trusted here; .*--ca FILE.*--insecure/],
    [expired, named, /its certificate expired on \d{4}-\d\d-\d\d; --insecure/],
  ];
  for (const [certificate, args, sentence] of cases) {
    await using server = await startOpenssl(certificate);
    const { status, stdout, stderr } = await ask(server.address, ...args);
    assert.deepEqual([status, stdout], [1, ""], String(sentence));
    assert.match(stderr, new RegExp(`^sockbal: ${server.address}: ${sentence.source}[^\\n]*\\n$`));

    const insecure = await ask(server.address, "--server-name", "a.example", "--insecure");
    assert.deepEqual([insecure.status, insecure.stdout, insecure.stderr], [0, "olleh\n", ""]);
  }
  await using server = await startOpenssl(ip);
  assert.equal((await ask(server.address, "--ca", authority.cert)).stdout, "olleh\n");
});

test("a client shows its certificate where one is wanted, and is told where it has none", async () => {
  const { authority, a, client, stranger } = await testCertificates();
  const args = ["--ca", authority.cert, "--server-name", "a.example"];
  const needed = ["-Verify", "1", "-verify_return_error", "-CAfile", authority.cert];
  for (const version of ["-tls1_2", "-tls1_3"]) {
    await using server = await startOpenssl(a, version, ...needed);
    const shown = await ask(server.address, ...args, "--cert", client.cert, "--key", client.key);
    assert.deepEqual([shown.status, shown.stdout, shown.stderr], [0, "olleh\n", ""], version);

    const none = await ask(server.address, ...args);
    assert.equal(none.status, 1);
    assert.match(none.stderr, /^sockbal: \S+: [^\n]*--cert and --key\n$/, version);

    const wrong = await ask(server.address, ...args, "--cert", stranger.cert, "--key", stranger.key);
    assert.equal(wrong.status, 1);
    assert.match(
      wrong.stderr,
      /^sockbal: \S+: it does not trust the certificate that it was shown; [^\n]*\n$/,
    );
  }
});

test("a peer that is cut off is not taken for one that has ended", async () => {
  const { authority, ip: { pair } } = await testCertificates();
  const tls = createTlsServer(pair);
  const connections: Socket[] = [];
  const server = createServer((raw) => {
    connections.push(raw);
    raw.on("error", () => {});
    tls.emit("connection", raw);
    tls.once("secureConnection", (socket) => socket.write("half of it", () => raw.end()));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const { status, stdout, stderr } = await ask(`127.0.0.1:${port}`, "--ca", authority.cert);
  assert.deepEqual([status, stdout], [1, "half of it"]);
  assert.match(
    stderr,
    /: it ended the connection without having ended TLS; what it has sent may be incomplete\n$/,
  );
  for (const raw of connections) raw.destroy();
  server.close();
  await once(server, "close");
});

test("openssl talks to a server with TLS 1.2 and 1.3, and not with less", async () => {
  const { authority, a } = await testCertificates();
  const { server, port } = await startServer("--tls-cert", a.cert, "--tls-key", a.key);
  const verified = ["-CAfile", authority.cert, "-verify_return_error", "-verify_hostname", "a.example"];
  for (const version of ["1.2", "1.3"]) {
    const output = await runClient(port, [...verified, `-tls${version.replace(".", "_")}`]);
    assert.match(output, /\nhello\n/);
    assert.match(output, new RegExp(`New, TLSv${version}`));
  }
  const refused = await runClient(port, ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]);
  assert.doesNotMatch(refused, /\nhello\n/);
  await server.sees(/ debug connection_failed client=127\.0\.0\.1:\d+ reason="TLS was not opened: /);
  await server[Symbol.asyncDispose]();
});

test("between a client and a server any bytes pass both ways, and the true client is named", async () => {
  const { authority, ip } = await testCertificates();
  const tls = ["--tls-cert", ip.cert, "--tls-key", ip.key];
  const echo = await startServer("--handler", "reverse", ...tls);
  const lines = Array.from(pattern(150_000), (byte) => byte.toString(36)).join("\n") + "\n";
  const piped = await new RunningCommand(
    [...SOCKBAL, "--role", "client", "--connect", echo.address, "--tls", "--ca", authority.cert],
    { input: new TextEncoder().encode(lines) },
  ).finished;
  assert.deepEqual([piped.status, piped.stderr], [0, ""]);
  assert.ok(piped.stdout === lines.split("\n").map((line) => [...line].reverse().join("")).join("\n"));
  await echo.server[Symbol.asyncDispose]();

  const whoami = await startServer("--handler", "whoami", "--name", "one", "--proxy-protocol", ...tls);
  for (const version of ["v1", "v2"]) {
    const { stdout } = await ask(whoami.address, "--ca", authority.cert, "--proxy-protocol", version);
    assert.match(stdout, /^one \(client 127\.0\.0\.1:\d+\)\n$/);
  }
  await whoami.server[Symbol.asyncDispose]();
});

test("files that cannot be used are named with their flag, and status 2", async () => {
  const { a, b, expired } = await testCertificates();
  const client = ["--role", "client", "--connect", "127.0.0.1:1", "--tls"];
  const cases: [string[], RegExp][] = [
    [[...client, "--ca", "/no/such/ca.pem"], /^sockbal: --ca: \/no\/such\/ca\.pem: no such file\n$/],
    [[...client, "--ca", a.key], /^sockbal: --ca: \S+: has no certificate, but PRIVATE KEY\n$/],
    [
      [...client, "--cert", a.cert, "--key", b.key],
      /^sockbal: --key: \S+: is not the key of the certificate "/,
    ],
    [
      ["--role", "server", "--tls-cert", a.cert, "--tls-key", a.cert],
      /^sockbal: --tls-key: \S+: has no private key/,
    ],
    [
      ["--role", "server", "--tls-cert", expired.cert, "--tls-key", expired.key],
      /^sockbal: --tls-cert: \S+: expired /,
    ],
  ];
  for (const [args, sentence] of cases) {
    const { status, stdout, stderr } = await sockbal(...args);
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(stderr, sentence);
    assert.equal(stderr.trimEnd().split("\n").length, 1);
  }
});

test("a key that others may read is noted by the server that uses it", async () => {
  const { a, folder } = await testCertificates();
  const key = `${folder}/open.key`;
  await Deno.copyFile(a.key, key);
  await Deno.chmod(key, 0o644);
  const { server } = await startServer("--tls-cert", a.cert, "--tls-key", key);
  await server.sees(/ warn {2}config_note note="\S+open\.key: its mode is 0644, /);
  await server[Symbol.asyncDispose]();
});
