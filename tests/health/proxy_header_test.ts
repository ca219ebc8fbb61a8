// deno-lint-ignore-file no-await-in-loop -- one case after the other

/** Checks of backends that expect a header of the PROXY protocol. */

import assert from "node:assert/strict";
import { parseListenAddress } from "../../lib/core/address.ts";
import { writeAll } from "../../lib/core/connection.ts";
import type { HealthCheck } from "../../lib/health/check.ts";
import { prepareProbe } from "../../lib/health/probe.ts";
import type { IntroductionOptions } from "../../lib/pool/pool.ts";
import { handlers } from "../../lib/respond/handlers.ts";
import { startServer } from "../../lib/respond/server.ts";
import { Malformed } from "../../lib/wire/malformed.ts";
import { readProxyHeader } from "../../lib/wire/read_proxy_header.ts";
import { startBackend, type TestBackend } from "../support/backend.ts";
import { startTestBalancer, type TestBalancerOptions, testConfig, until } from "../support/balancer.ts";
import { bytes, joined, text } from "../support/bytes.ts";
import { memoryLog } from "../support/memory_log.ts";
import { expectCheck, httpCheck, local, probeAt, tcpCheck } from "./checks.ts";

const INTRODUCTIONS: readonly IntroductionOptions[] = [
  { version: 1, checksum: false },
  { version: 2, checksum: false },
  { version: 2, checksum: true },
];

const CHECKS: readonly HealthCheck[] = [tcpCheck(), httpCheck(), expectCheck("PING\r\n", "PONG")];

/** What a connection began with. */
interface Heard {
  /** 0 when it did not begin with a header. */
  readonly version: 0 | 1 | 2;
  readonly namesClient: boolean;
  /** What came behind it. */
  readonly rest: string;
}

function splitHeader(all: Uint8Array): Heard {
  const header = readProxyHeader(all);
  if (header === "incomplete" || header instanceof Malformed) {
    return { version: 0, namesClient: false, rest: text(all) };
  }
  const { version, source, length } = header;
  return { version, namesClient: source !== undefined, rest: text(all.subarray(length)) };
}

/** Answers the question behind a header, and tells how each connection went that has ended. */
function startListening(tell: (heard: Heard) => void): TestBackend {
  return startBackend(async (conn) => {
    let all: Uint8Array = new Uint8Array();
    const buffer = new Uint8Array(4096);
    for (let filled = await conn.read(buffer); filled !== null; filled = await conn.read(buffer)) {
      all = joined([all, buffer.slice(0, filled)]);
      const { rest } = splitHeader(all);
      if (!rest.endsWith("\r\n")) continue;
      await writeAll(conn, bytes(rest.startsWith("GET ") ? "HTTP/1.1 204 No Content\r\n\r\n" : "PONG"));
    }
    tell(splitHeader(all));
  });
}

Deno.test("a check of every kind begins with a header that names no client", async () => {
  for (const introduction of INTRODUCTIONS) {
    for (const check of CHECKS) {
      const { promise, resolve } = Promise.withResolvers<Heard>();
      const backend = startListening(resolve);
      const result = await probeAt(local(backend.port), prepareProbe(check, { introduction }));
      assert.equal(result?.ok, true, `${check.type}: ${result?.saw}`);
      const { version, namesClient, rest } = await promise;
      assert.deepEqual([version, namesClient], [introduction.version, false]);
      if (check.type === "tcp") assert.equal(rest, "");
      if (check.type === "http") assert.match(rest, /^GET \/ HTTP\/1\.1\r\n/);
      if (check.type === "expect") assert.equal(rest, "PING\r\n");
      await backend.stop();
    }
  }
});

Deno.test("the checks of a pool have the header of its sessions; those of another port do not, and follow a reload", async () => {
  const heard: Heard[] = [];
  const backend = startListening((it) => heard.push(it));
  const configured = (pool: Record<string, unknown>): TestBalancerOptions => ({
    backends: [backend.address],
    pool: { health_check: { interval: "100ms" }, ...pool },
  });
  await using balancer = await startTestBalancer(configured({ send_proxy_protocol: "v2" }));
  await until(() => heard.length > 0, "it was checked");
  assert.deepEqual(heard[0], { version: 2, namesClient: false, rest: "" });

  const reload = async (pool: Record<string, unknown>): Promise<void> => {
    const listener = { listen: `127.0.0.1:${balancer.port}` };
    await balancer.balancer.reload(testConfig({ ...configured(pool), listener }));
    heard.length = 0;
  };
  await reload({ send_proxy_protocol: "v1" });
  await until(() => heard.some(({ version }) => version === 1), "a check has the other header");
  const check = { interval: "100ms", port: backend.port };
  await reload({ send_proxy_protocol: "v1", health_check: check });
  await until(() => heard.some(({ version }) => version === 0), "a check has none");
  await balancer.stop();
  await backend.stop();
});

Deno.test("our own server with --proxy-protocol takes checks of every kind, and refuses those without a header", async () => {
  const log = memoryLog();
  const server = await startServer({
    listen: parseListenAddress("127.0.0.1:0"),
    handler: handlers.http,
    ...{ name: "me", maxConnections: 0, idleTimeoutMs: 0, proxyProtocol: true, log: log.log },
  });
  const address = local(Number(server.address.split(":").at(-1)));
  const checks = [tcpCheck(), httpCheck(), expectCheck("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200")];
  for (const introduction of INTRODUCTIONS) {
    for (const check of checks) {
      const result = await probeAt(address, prepareProbe(check, { introduction }));
      assert.equal(result?.ok, true, `${check.type}: ${result?.saw}`);
    }
  }
  assert.deepEqual(log.events.filter(({ level }) => level !== "info"), []);
  assert.equal((await probeAt(address, prepareProbe(httpCheck())))?.ok, false);
  await server.stop();
});
