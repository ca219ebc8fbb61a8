/** A search for a backend to which TLS is opened, event by event, without sockets. */

import assert from "node:assert/strict";
import { recordOf } from "../../lib/dataplane/session_facts.ts";
import type { TlsFacts } from "../../lib/engine/tls_contract.ts";
import { type SharedPool, sharePool } from "../pool/shared_pool.ts";
import { text } from "../support/bytes.ts";
import { FakeWorld, TLS_CLIENT } from "./fake_engine.ts";

const FACTS: TlsFacts = { version: "TLSv1.3", serverName: "a", alpn: undefined, subject: "CN=a" };

type Shared = Parameters<typeof sharePool>[1];

function begin(options: Shared = {}): FakeWorld & SharedPool {
  const shared = sharePool({ a: {}, b: {} }, {
    tls: { serverName: undefined, alpn: [], verify: true },
    dialTimeoutMs: 500,
    consecutiveFailures: 1,
    ...options,
  });
  const world = new FakeWorld(shared.one);
  world.session.begin();
  return Object.assign(world, shared);
}

Deno.test("a backend is reached when TLS is open, which is a part of its dial", () => {
  const world = begin();
  const { session, engine } = world;
  const socket = engine.dialling.connect();
  assert.deepEqual([session.phase, engine.relay_, world.active()], ["dialling", undefined, [1, 0]]);
  assert.equal(socket.startedTls?.tls, TLS_CLIENT);
  assert.equal(socket.startedTls?.host, "127.0.0.1");
  world.nowMs += 30;
  socket.startedTls?.on.opened(FACTS);
  assert.deepEqual([session.phase, engine.relay_?.backend, session.dialMs], ["relaying", socket, 30]);
  engine.relaying.finished();
  assert.deepEqual([session.endReason, world.active()], ["done", [0, 0]]);
});

Deno.test("a backend is asked for the host that was written for it, whatever its address", () => {
  const backends = [{ ...sharePool({ a: {} }).backend("a"), host: "db.internal" }];
  const world = begin({ backends });
  assert.equal(world.engine.dialling.connect().startedTls?.host, "db.internal");
});

Deno.test("the PROXY header comes before TLS", () => {
  const world = begin({ introduction: { version: 1, checksum: false } });
  const socket = world.engine.dialling.connect();
  assert.match(text(socket.prefaced ?? assert.fail()), /^PROXY TCP4 /);
  assert.ok(socket.startedTls !== undefined);
});

Deno.test("a backend to which TLS cannot be opened has failed, with that reason, and another is tried", () => {
  const world = begin();
  const first = world.engine.dialling.connect();
  first.startedTls?.on.tlsFailed("its certificate expired on 2026-01-31");
  assert.ok(first.isClosed);
  assert.deepEqual([world.reported, world.active()], [["a"], [0, 1]]);
  world.engine.dialling.connect().startedTls?.on.opened(FACTS);
  assert.equal(world.session.backend?.name, "b");
  const { attempts, failed } = recordOf(world.session);
  assert.deepEqual([attempts, failed], [2, ["a: TLS: its certificate expired on 2026-01-31"]]);
});

Deno.test("TLS has the time that is left for the dial, and then the connection is closed", () => {
  const world = begin();
  world.pass(300);
  const first = world.engine.dialling.connect();
  world.pass(199);
  assert.ok(!first.isClosed);
  world.pass(1);
  assert.ok(first.isClosed);
  assert.deepEqual([world.engine.dials.length, world.active()], [2, [0, 1]]);
  world.engine.dialling.connect().startedTls?.on.opened(FACTS);
  assert.deepEqual(recordOf(world.session).failed, ["a: TLS: timed out"]);
});

Deno.test("a session that ends while TLS is opened closes what it is opened on, and that is no failure", () => {
  const world = begin();
  const socket = world.engine.dialling.connect();
  world.client.reads?.clientGone();
  assert.ok(socket.isClosed && world.engine.isQuiet);
  assert.deepEqual([world.session.endReason, world.active(), world.reported], ["client_reset", [0, 0], []]);
  assert.deepEqual(world.told.over, 1);
});

Deno.test("a dial that is refused before TLS fails as any other", () => {
  const world = begin();
  world.engine.dialling.fail("ECONNREFUSED");
  world.engine.dialling.connect().startedTls?.on.opened(FACTS);
  assert.deepEqual(recordOf(world.session).failed, ["a: connection refused"]);
});

Deno.test("a fault of our own while TLS is opened ends the session and leaves nothing", () => {
  const world = begin();
  const socket = world.engine.dialling.connect();
  socket.startedTls?.on.fault(new Error("a fault"));
  assert.deepEqual([world.session.endReason, socket.isClosed, world.active()], [
    "internal_error",
    true,
    [0, 0],
  ]);
});
