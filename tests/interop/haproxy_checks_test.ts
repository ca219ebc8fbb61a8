// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Health checks of HAProxy, where it wants a header of the PROXY protocol from whoever connects. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { HealthCheck } from "../../lib/health/check.ts";
import { prepareProbe } from "../../lib/health/probe.ts";
import { expectCheck, httpCheck, local, probeAt, tcpCheck } from "../health/checks.ts";
import { refusedPort } from "../support/backend.ts";
import { RunningCommand } from "../support/command.ts";
import { findProgram } from "../support/packages.ts";

const found = await findProgram("haproxy", "haproxy");
const skipped = "missing" in found ? ` (skipped: ${found.missing})` : "";

/** `dontlognull` keeps connections without a byte out of its log, as a service has it. */
const configOf = (port: number): string => `
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
`;

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
