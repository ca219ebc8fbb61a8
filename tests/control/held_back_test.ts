/** Who is held back, as the admin side sees it. */

import assert from "node:assert/strict";
import { HeldBackBook } from "../../lib/control/held_back.ts";
import type { Denials } from "../../lib/dataplane/denials.ts";
import { enter, startNamedBackend, visit } from "../support/backend.ts";
import { startTestBalancer, until } from "../support/balancer.ts";
import { askUntilGone } from "../support/bytes.ts";
import { onEachEngine } from "../support/engines.ts";
import { operationsOf } from "../support/operations.ts";

function denials(sources: Record<string, number>): Denials[] {
  const count = Object.values(sources).reduce((sum, it) => sum + it, 0);
  return [{ listener: "web", reason: "denied", count, sources: new Map(Object.entries(sources)) }];
}

Deno.test("the busiest sources come first, and are forgotten when they have stayed away", () => {
  const book = new HeldBackBook();
  book.add(denials({ "192.0.2.1": 2, "192.0.2.2": 5 }), 1_000);
  book.add(denials({ "192.0.2.1": 4 }), 2_000);
  const list = (nowMs: number): unknown[] =>
    book.busiest(10, nowMs).map((it) => [it.source, it.refused, it.lastMs]);
  assert.deepEqual(list(2_000), [["192.0.2.1", 6, 2_000], ["192.0.2.2", 5, 1_000]]);
  assert.equal(book.busiest(1, 2_000).length, 1);
  assert.deepEqual(list(601_500), [["192.0.2.1", 6, 2_000]]);
});

Deno.test("however many sources appear, the busy ones stay, and the list is bounded", () => {
  const book = new HeldBackBook();
  book.add(denials({ busy: 100 }), 0);
  for (let i = 0; i < 10_000; i++) book.add(denials({ [`one ${i}`]: 1 }), i);
  assert.equal(book.busiest(Infinity, 0).length, 200);
  assert.equal(book.busiest(1, 0)[0]?.source, "busy");
});

Deno.test("the status says who is held back, how many connections it has, and the refusals by reason", async () => {
  await using backend = startNamedBackend("hi");
  await using balancer = await startTestBalancer({
    backends: [backend.member],
    listener: { max_connections_per_source: 2 },
    tallySessions: true,
    workers: 1,
  });
  const operations = operationsOf(balancer.balancer);
  assert.deepEqual([operations.status().held_back, operations.status().listeners[0]?.refused_by], [[], {}]);
  {
    using _one = await enter(balancer.port);
    using _two = await enter(balancer.port);
    assert.deepEqual([await visit(balancer.port), await visit(balancer.port)], ["", ""]);
    await until(() => operations.status().held_back[0]?.refused === 2, "both are known");
    const [{ last, ...held } = assert.fail()] = operations.status().held_back;
    assert.deepEqual(operations.status().sources, [{ source: "127.0.0.1", listener: "web", active: 2 }]);
    assert.deepEqual(held, {
      ...{ source: "127.0.0.1", listener: "web", reason: "source_limit", active: 2, refused: 2 },
    });
    assert.ok(Math.abs(Date.now() - Date.parse(last)) < 60_000);
    await until(() => operations.status().listeners[0]?.refused_by.source_limit === 2, "both are counted");
  }
  await until(() => operations.status().held_back[0]?.active === 0, "its connections have ended");
  assert.deepEqual(operations.status().sources, []);
  operations.stop();
});

onEachEngine(
  "a source that is too slow to open its sessions is held back, and its sessions leave records",
  async (engine) => {
    await using backend = startNamedBackend("hi");
    await using balancer = await startTestBalancer({
      backends: [backend.member],
      listener: { proxy_protocol: { from: ["127.0.0.1"] }, handshake_timeout: "100ms" },
      tallySessions: true,
      engine,
    });
    const operations = operationsOf(balancer.balancer);
    await askUntilGone(balancer.port, new Uint8Array());
    await askUntilGone(balancer.port, new Uint8Array());
    await until(() => operations.status().held_back[0]?.refused === 2, "both are known");
    const [{ source, listener, reason } = assert.fail(), ...others] = operations.status().held_back;
    assert.deepEqual([source, listener, reason, others], ["127.0.0.1", "web", "handshake_timeout", []]);
    operations.stop();
    await balancer.stop();
    assert.deepEqual(balancer.records().map(({ end }) => end), ["handshake_timeout", "handshake_timeout"]);
    assert.ok(balancer.log.events.every(({ event }) => event !== "sessions_denied"), "none is told twice");
  },
);
