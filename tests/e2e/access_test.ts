// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** Clients that are let in by their address, and those that are not. */

import assert from "node:assert/strict";
import { renderMetrics } from "../../lib/admin/metrics.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { startMirror } from "../support/backend.ts";
import { startTestBalancer, type TestBalancer, until } from "../support/balancer.ts";
import { bytes, readAll, text } from "../support/bytes.ts";
import { onEachEngine, readUntilCut } from "../support/engines.ts";
import { operationsOf } from "../support/operations.ts";

const FROM_HERE = { from: ["127.0.0.0/8", "::1"] };

/** Whether a client is served; it is cut otherwise. */
async function isServed(port: number, header = "", hostname = "127.0.0.1"): Promise<boolean> {
  try {
    using conn = await Deno.connect({ hostname, port });
    await writeAll(conn, bytes(`${header}hello`));
    await conn.closeWrite();
    const answer = text(await readAll(conn));
    assert.ok(answer === "hello" || answer === "", answer);
    return answer === "hello";
  } catch (error) {
    const isCut = error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
      error instanceof Deno.errors.NotConnected;
    if (!isCut) throw error;
    return false;
  }
}

onEachEngine(
  "a client whose address is denied is cut at once, and leaves no record but a sum",
  async (engine) => {
    await using mirror = startMirror();
    await using balancer = await startTestBalancer({
      engine,
      backends: [mirror.address],
      listener: { deny: ["127.0.0.0/8"] },
      tallySessions: true,
    });
    const operations = operationsOf(balancer.balancer);
    const startedMs = performance.now();
    for (let i = 0; i < 20; i++) assert.equal(await isServed(balancer.port), false);
    assert.ok(performance.now() - startedMs < 5_000, "none waits for a timeout");
    const sums = (): Record<string, unknown>[] =>
      balancer.log.events.filter((it) => it.event === "sessions_denied").map((it) => it.fields);
    const counted = (): number => sums().reduce((sum, { count }) => sum + Number(count), 0);
    await until(() => counted() === 20, "all are summed up");
    assert.ok(sums().length <= 5, "one a second");
    for (const { listener, reason, client } of sums()) {
      assert.deepEqual([listener, reason, client], ["web", "denied", "127.0.0.1"]);
    }
    assert.deepEqual([balancer.records(), mirror.accepted], [[], 0]);
    await until(() => operations.status().listeners[0]?.refused_total === 20, "all are counted");
    assert.match(
      text(renderMetrics(operations.status(), operations.counts())),
      /sockbal_sessions_total\{listener="web",pool="\(none\)",backend="",end="denied"\} 20/,
    );
    operations.stop();
  },
);

onEachEngine(
  "a client is let in by its IPv4 or IPv6 address, whichever socket it comes to",
  async (engine) => {
    await using mirror = startMirror();
    const start = (listen: string, lists: Record<string, unknown>): Promise<TestBalancer> =>
      startTestBalancer({ engine, backends: [mirror.address], listener: { listen, ...lists } });
    const cases: { lists: Record<string, unknown>; v4: boolean; v6: boolean }[] = [
      { lists: { allow: ["127.0.0.1"] }, v4: true, v6: false },
      { lists: { allow: ["::1"] }, v4: false, v6: true },
      { lists: { deny: ["::/0"] }, v4: true, v6: false },
      { lists: { allow: ["127.0.0.0/8", "::1"], deny: ["127.0.0.1"] }, v4: false, v6: true },
      { lists: { allow: ["10.0.0.0/8"] }, v4: false, v6: false },
    ];
    for (const { lists, v4, v6 } of cases) {
      await using balancer = await start(":0", lists);
      const served = [await isServed(balancer.port), await isServed(balancer.port, "", "::1")];
      assert.deepEqual(served, [v4, v6], JSON.stringify(lists));
    }
  },
);

onEachEngine("behind a proxy the address that its header names decides, not the proxy's", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await startTestBalancer({
    engine,
    backends: [mirror.address],
    listener: {
      proxy_protocol: FROM_HERE,
      allow: ["192.0.2.0/24", "2001:db8::/32"],
      deny: ["192.0.2.7", "2001:db8:bad::/48"],
    },
  });
  const cases: [header: string, isServed: boolean][] = [
    ["PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", true],
    ["PROXY TCP4 192.0.2.7 198.51.100.7 56324 443\r\n", false],
    ["PROXY TCP4 203.0.113.1 198.51.100.7 56324 443\r\n", false],
    ["PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", true],
    ["PROXY TCP6 2001:db8:bad::1 2001:db8::2 56324 443\r\n", false],
    ["PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.7 56324 443\r\n", true],
    ["PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.7 56324 443\r\n", false],
    // It speaks for itself, and is not allowed.
    ["PROXY UNKNOWN\r\n", false],
  ];
  for (const [header, served] of cases) assert.equal(await isServed(balancer.port, header), served, header);
});

onEachEngine("a denied client is cut before its ClientHello is waited for", async (engine) => {
  await using mirror = startMirror();
  await using balancer = await startTestBalancer({
    engine,
    backends: [mirror.address],
    listener: {
      proxy_protocol: FROM_HERE,
      routes: [{ sni: "a.example", pool: "web" }],
      deny: ["192.0.2.7"],
      handshake_timeout: "1m",
    },
  });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: balancer.port });
  await writeAll(conn, bytes("PROXY TCP4 192.0.2.7 198.51.100.7 56324 443\r\n"));
  assert.equal((await readUntilCut(conn, engine)).length, 0);
  assert.equal(mirror.accepted, 0);
});
