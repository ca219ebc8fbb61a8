// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Health checks of an HAProxy that requires a header of the PROXY protocol on every connection. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { HealthCheck } from "../../lib/health/check.ts";
import { prepareProbe } from "../../lib/health/probe.ts";
import { expectCheck, httpCheck, local, probeAt, tcpCheck } from "../health/checks.ts";
import { makeCertificate, noOpenssl } from "../support/certificates.ts";
import { TlsClients } from "../../lib/health/tls_clients.ts";
import { RunningCommand } from "../support/command.ts";
import { findProgram } from "../support/packages.ts";
import { refusedPort } from "../support/ports.ts";

const found = await findProgram("haproxy", "haproxy");
const skipped = "missing" in found ? ` (skipped: ${found.missing})` : "";

/** `dontlognull` keeps connections without a byte out of its log, as a service has it. */
const configOf = (port: number, more = ""): string => `
global
  log stdout format raw local0
defaults
  log global
  option httplog
  option dontlognull
  timeout client 5s
  timeout connect 5s
  timeout server 5s
frontend web
  mode http
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain string well
${more}`;

const CHECKS: readonly HealthCheck[] = [
  httpCheck(),
  expectCheck("GET / HTTP/1.0\r\n\r\n", "well"),
  tcpCheck(),
];

Deno.test({
  name: `HAProxy with accept-proxy takes checks of every kind, and has nothing to complain of${skipped}`,
  ignore: skipped !== "",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const port = refusedPort();
    await Deno.writeTextFile(join(folder, "haproxy.cfg"), configOf(port));
    const program = "path" in found ? found.path : "";
    await using haproxy = new RunningCommand([program, "-db", "-f", join(folder, "haproxy.cfg")]);
    await isListening(port);
    for (const introduction of [{ version: 1, checksum: false }, { version: 2, checksum: true }] as const) {
      for (const check of CHECKS) {
        const result = await probeAt(local(port), prepareProbe(check, { introduction }));
        assert.equal(result?.ok, true, `v${introduction.version} ${check.type}: ${result?.saw}`);
      }
    }
    // Without a header it does complain, so that its silence means something.
    assert.equal((await probeAt(local(port), prepareProbe(httpCheck())))?.ok, false);
    await haproxy.sees(/PROXY protocol/, "stdout");
    haproxy.kill("SIGTERM");
    const { stdout } = await haproxy.finished;
    const complaints = stdout.split("\n").filter((line) => line !== "" && !/" 200 | 200 \d+ /.test(line));
    assert.equal(complaints.length, 1, stdout);
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: `HAProxy with accept-proxy and ssl takes checks of every kind by TLS${skipped}${noOpenssl.why}`,
  ignore: skipped !== "" || noOpenssl.ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const [port, tlsPort] = [refusedPort(), refusedPort()];
    const { cert, key } = await makeCertificate(folder, "web");
    const [certText, keyText] = await Promise.all([Deno.readTextFile(cert), Deno.readTextFile(key)]);
    await Deno.writeTextFile(join(folder, "both.pem"), certText + keyText);
    const bind = `  bind 127.0.0.1:${tlsPort} accept-proxy ssl crt ${join(folder, "both.pem")}\n`;
    await Deno.writeTextFile(join(folder, "haproxy.cfg"), configOf(port, bind));
    const program = "path" in found ? found.path : "";
    await using haproxy = new RunningCommand([program, "-db", "-f", join(folder, "haproxy.cfg")]);
    await isListening(tlsPort);
    const clients = new TlsClients();
    clients.renew(new Map([["p", { pairs: [], authorities: certText }]]));
    const options = { serverName: "web.example", alpn: [], verify: true };
    const tls = { client: () => clients.of("p", options), host: undefined };
    for (const introduction of [{ version: 1, checksum: false }, { version: 2, checksum: true }] as const) {
      for (const check of CHECKS) {
        const result = await probeAt(local(tlsPort), prepareProbe(check, { introduction, tls }));
        assert.equal(result?.ok, true, `v${introduction.version} ${check.type}: ${result?.saw}`);
      }
    }
    haproxy.kill("SIGTERM");
    const { stdout } = await haproxy.finished;
    assert.deepEqual(stdout.split("\n").filter((line) => line !== "" && !/ 200 \d+ /.test(line)), []);
    await Deno.remove(folder, { recursive: true });
  },
});

async function isListening(port: number): Promise<void> {
  const lastMs = performance.now() + 15_000;
  for (;;) {
    try {
      return (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch (error) {
      if (performance.now() > lastMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
