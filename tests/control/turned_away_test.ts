/** Sessions that are refused before they have a pool: where they are counted and shown. */

import assert from "node:assert/strict";
import { renderMetrics } from "../../lib/admin/metrics.ts";
import { startMirror } from "../support/backend.ts";
import { startTestBalancer, until } from "../support/balancer.ts";
import { ask, askUntilGone, bytes, text } from "../support/bytes.ts";
import { operationsOf } from "../support/operations.ts";
import { hello, serverName } from "../wire/hello_builder.ts";

Deno.test("sessions that are turned away are counted by reason, for their listener and no pool", async () => {
  await using mirror = startMirror();
  await using balancer = await startTestBalancer({
    backends: [mirror.address],
    otherPools: { other: { backends: [mirror.address] } },
    listener: {
      pool: undefined,
      routes: [{ sni: "a.example", pool: "other" }, { sni: "b.example", pool: "web" }],
      handshake_timeout: "200ms",
    },
    tallySessions: true,
  });
  const operations = operationsOf(balancer.balancer);
  const refused = [
    bytes("GET /"),
    hello(serverName("c.example")),
    hello(serverName("a b")),
    new Uint8Array(),
  ];
  await Promise.all(refused.map((it) => askUntilGone(balancer.port, it)));
  await ask(balancer.port, hello(serverName("b.example")));
  await until(() => operations.status().listeners[0]?.sessions_total === 5, "all sessions are counted");

  const { listeners, pools } = operations.status();
  assert.deepEqual(listeners.map((it) => [it.pools, it.refused_total]), [[["other", "web"], 4]]);
  assert.deepEqual(pools.map((it) => [it.name, it.sessions_total, it.refused_total]), [
    ["web", 1, 0],
    ["other", 0, 0],
  ]);
  const lines = text(renderMetrics(operations.status(), operations.counts())).split("\n");
  const ends = lines.filter((it) => /^sockbal_sessions_total.* [1-9]/.test(it));
  assert.deepEqual(ends.filter((it) => it.includes("(none)")).sort(), [
    'sockbal_sessions_total{listener="web",pool="(none)",backend="",end="handshake_timeout"} 1',
    'sockbal_sessions_total{listener="web",pool="(none)",backend="",end="hello_invalid"} 1',
    'sockbal_sessions_total{listener="web",pool="(none)",backend="",end="no_route"} 2',
  ]);
  const without = lines.filter((it) => it.includes('pool="(none)"') || it.includes('pool=""'));
  assert.deepEqual(
    [...new Set(without.map((it) => /^[a-z_]+?(?=_bucket|_sum|_count|\{)/.exec(it)?.[0]))].sort(),
    [
      "sockbal_bytes_in_total",
      "sockbal_bytes_out_total",
      "sockbal_session_seconds",
      "sockbal_sessions_total",
    ],
    "no dials, retries or queue",
  );
  operations.stop();
});
