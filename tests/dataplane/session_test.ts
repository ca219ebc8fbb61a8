/** The life of a session, event by event, without sockets and without waiting. */

import assert from "node:assert/strict";
import { recordOf } from "../../lib/dataplane/session_facts.ts";
import type { SessionLimits } from "../../lib/dataplane/timeouts.ts";
import {
  fullPool,
  type MemberOptions,
  POOL,
  queueOf,
  type SharedPool,
  sharePool,
  SINGLE,
} from "../pool/shared_pool.ts";
import { FakeWorld, settled } from "./fake_engine.ts";

type Shared = Parameters<typeof sharePool>[1];

function begin(
  members: Record<string, MemberOptions>,
  options: Shared = {},
  limits: Partial<SessionLimits> = {},
): FakeWorld & SharedPool {
  const shared = sharePool(members, options);
  const world = new FakeWorld(shared.one, limits);
  world.session.begin();
  return Object.assign(world, shared);
}

/** What a session that is over leaves behind. */
function assertOver({ session, client, engine, told }: FakeWorld, reason: string): void {
  assert.equal(session.phase, "ended");
  assert.equal(session.endReason, reason);
  assert.ok(client.isClosed && (session.backendSocket === undefined || session.backend !== undefined));
  assert.ok(engine.isQuiet, "something is still under way");
  assert.deepEqual([told.left, told.over, told.faults], [1, 1, []]);
}

Deno.test("a session reads ahead, takes a slot, dials and relays; when the relay is over, so is the session", () => {
  const world = begin({ a: {} });
  const { session, client, engine, told } = world;
  assert.equal(session.phase, "dialling");
  assert.equal(client.reads, session);
  assert.deepEqual(world.active(), [1]);
  assert.deepEqual(engine.dialling.addresses, [world.backend("a").address]);

  world.nowMs += 7;
  const socket = engine.dialling.connect();
  assert.equal(session.phase, "relaying");
  assert.deepEqual([engine.relay_?.client, engine.relay_?.backend], [client, socket]);
  assert.equal(session.dialMs, 7);

  engine.relaying.moved("in", 3);
  engine.relaying.moved("out", 5);
  engine.relaying.directionEnded("in");
  engine.relaying.directionEnded("out");
  assert.deepEqual([client.isClosed, told.over, world.active()], [false, 0, [1]]);
  world.nowMs += 10;
  engine.relaying.finished();
  assertOver(world, "done");
  assert.ok(socket.isClosed);
  assert.deepEqual(world.active(), [0]);
  const { id, listener, pool, backend, bytes_in, bytes_out, dial_ms, duration_ms, attempts, end } = recordOf(
    session,
  );
  assert.deepEqual(
    { id, listener, pool, backend, bytes_in, bytes_out, dial_ms, duration_ms, attempts, end },
    {
      ...{ id: "id-7", listener: "web", pool: "web", backend: "a", bytes_in: 3, bytes_out: 5 },
      ...{ dial_ms: 7, duration_ms: 17, attempts: 1, end: "done" },
    },
  );
});

Deno.test("a client that goes while its backend is dialled ends the dial, and is no failure of the backend", () => {
  const world = begin({ a: {} }, { consecutiveFailures: 1 });
  world.client.reads?.clientGone();
  assertOver(world, "client_reset");
  assert.deepEqual(world.active(), [0]);
  assert.deepEqual(world.reported, []);
  assert.deepEqual(recordOf(world.session).failed, ["a: the session ended"]);
});

Deno.test("after a dial that failed another backend is dialled, and the failure counts against the first alone", () => {
  const world = begin({ a: {}, b: {} }, { consecutiveFailures: 1 });
  world.engine.dialling.fail("ECONNREFUSED");
  assert.deepEqual(world.reported, ["a"]);
  assert.deepEqual(world.active(), [0, 1]);
  world.engine.dialling.connect();
  assert.equal(world.session.backend?.name, "b");
  world.engine.relaying.finished();
  assertOver(world, "done");
  const { attempts, failed } = recordOf(world.session);
  assert.deepEqual([attempts, failed], [2, ["a: connection refused"]]);
});

Deno.test("a dial that takes too long is given up, as one that failed", () => {
  const world = begin({ a: {}, b: {} }, { dialTimeoutMs: 500 });
  world.pass(499);
  assert.equal(world.engine.dials.length, 1);
  world.pass(1);
  assert.deepEqual(world.engine.dials.map(({ isPending }) => isPending), [false, true]);
  assert.deepEqual(world.active(), [0, 1]);
  world.engine.dialling.connect();
  assert.equal(world.session.diallingMs, 500);
  assert.deepEqual(recordOf(world.session).failed, ["a: timed out"]);
});

Deno.test("when all were dialled in vain, the same is dialled again after pauses that double, without a slot meanwhile", () => {
  const world = begin({ a: {} }, { retries: 3 });
  const pauses: number[] = [];
  for (let i = 0; i < 3; i++) {
    world.engine.dialling.fail("ECONNREFUSED");
    assert.deepEqual([world.session.phase, world.active()], ["routed", [0]]);
    pauses.push(world.engine.resting.ms);
    world.engine.resting.run();
    assert.deepEqual([world.session.phase, world.active()], ["dialling", [1]]);
  }
  assert.deepEqual(pauses, [500, 1_000, 2_000]);
  world.engine.dialling.fail("ECONNREFUSED");
  assertOver(world, "dial_failed");
  assert.equal(world.session.attempts, 4);
});

Deno.test("a backend that has come during the pause is dialled instead of the same", () => {
  const world = begin({ a: {}, b: { isUp: false } });
  world.engine.dialling.fail("ECONNREFUSED");
  world.change("b", { isUp: true });
  world.engine.resting.run();
  assert.deepEqual(world.active(), [0, 1]);
});

Deno.test("a client that goes during the pause ends it", () => {
  const world = begin({ a: {} });
  world.engine.dialling.fail("ECONNREFUSED");
  world.session.clientGone();
  assertOver(world, "client_reset");
  assert.deepEqual(world.active(), [0]);
});

Deno.test("without a backend that may be picked a session is refused at once", () => {
  const world = begin({ a: { isUp: false } });
  assertOver(world, "no_backend");
  assert.equal(world.engine.dials.length, 0);
});

/** A session that waits in line for the only slot, which another one has. */
function queued(limits: Partial<SessionLimits> = {}): FakeWorld & SharedPool {
  const shared = fullPool({ a: SINGLE }, { size: 1, timeoutMs: 5_000 });
  const world = new FakeWorld(shared.one, limits);
  world.session.begin();
  assert.equal(world.session.phase, "queued");
  return Object.assign(world, shared);
}

Deno.test("a session that waits in line is served when its turn comes, and knows how long that took", async () => {
  const world = queued();
  world.nowMs += 30;
  world.one.release(world.backend("a"));
  await settled();
  assert.equal(world.session.phase, "dialling");
  world.engine.dialling.connect();
  assert.equal(world.session.queuedMs, 30);
  assert.deepEqual(world.active(), [1]);
});

Deno.test("a session that waits too long is refused, and so is one that finds the queue full", async () => {
  const world = queued();
  const other = new FakeWorld(world.one);
  other.session.begin();
  assertOver(other, "queue_full");
  world.nowMs += 5_000;
  world.one.queue?.onTick(world.nowMs);
  await settled();
  assertOver(world, "queue_timeout");
  assert.equal(recordOf(world.session).queue_ms, 5_000);
});

Deno.test("a client that goes while it waits leaves its place to another", async () => {
  const world = queued();
  world.client.reads?.clientGone();
  assertOver(world, "client_reset");
  await settled();
  assert.equal(world.one.queue?.isEmpty, true);
  world.one.release(world.backend("a"));
  assert.deepEqual(world.active(), [0]);
});

Deno.test("a session that ends just when its turn came gives the slot back", async () => {
  const world = queued();
  world.one.release(world.backend("a"));
  assert.deepEqual(world.active(), [1], "the slot is the session's, which does not know of it yet");
  world.session.end("killed");
  await settled();
  assertOver(world, "killed");
  assert.deepEqual(world.active(), [0]);
});

Deno.test("without a descriptor the same backend is dialled as soon as there is one, and that counts as no failure", () => {
  const world = begin({ a: {}, b: {} }, { consecutiveFailures: 1 });
  for (let i = 0; i < 3; i++) {
    world.engine.dialling.fail("EMFILE");
    assert.deepEqual(world.active(), [1, 0], "it keeps its slot");
    world.engine.waiting.at(-1)?.run();
  }
  world.engine.dialling.connect();
  assert.equal(world.session.backend?.name, "a");
  assert.deepEqual(world.told.shortages, ["a: no open file left"]);
  assert.deepEqual([world.session.attempts, world.reported, recordOf(world.session).failed], [
    1,
    [],
    undefined,
  ]);
});

Deno.test("without a local port another backend is dialled, and that counts as no failure", () => {
  const world = begin({ a: {}, b: {} }, { consecutiveFailures: 1 });
  world.engine.dialling.fail("EADDRNOTAVAIL");
  assert.deepEqual(world.active(), [0, 1]);
  world.engine.dialling.connect();
  assert.deepEqual([world.session.attempts, world.reported], [2, []]);
});

Deno.test("where there is no other backend, a local port is waited for, with the slot, as long as a dial may take", () => {
  const world = begin({ a: {} }, { consecutiveFailures: 1, dialTimeoutMs: 1_000, retries: 0 });
  const rests: number[] = [];
  for (;;) {
    world.engine.dialling.fail("EADDRNOTAVAIL");
    if (world.engine.isQuiet) break;
    assert.deepEqual(world.active(), [1]);
    rests.push(world.engine.resting.ms);
    world.nowMs += world.engine.resting.ms;
    world.engine.resting.run();
  }
  assert.deepEqual(rests, [100, 100, 200, 400, 800]);
  assertOver(world, "dial_failed");
  assert.deepEqual([world.active(), world.reported], [[0], []]);
  assert.deepEqual(world.told.shortages, ["a: no local port left"]);
});

Deno.test("limits that run out end the session with their reason, and the slot is kept until the relay is over", () => {
  const cases = [
    [{ idleTimeoutMs: 600 }, 700, "idle_timeout"],
    [{ maxSessionDurationMs: 600 }, 700, "max_duration"],
  ] as const;
  for (const [limits, ms, reason] of cases) {
    const world = begin({ a: {} }, {}, limits);
    const socket = world.engine.dialling.connect();
    world.pass(100);
    assert.equal(world.session.phase, "relaying");
    world.pass(ms);
    assert.equal(world.session.phase, "ended");
    assert.deepEqual([world.client.isClosed, socket.isClosed, world.told.over], [true, true, 0]);
    assert.deepEqual(world.active(), [1]);
    world.engine.relaying.finished();
    assertOver(world, reason);
    assert.deepEqual(world.active(), [0]);
  }
});

Deno.test("a backend that goes before its first byte has failed, and one that goes later has not", () => {
  const early = begin({ a: {} }, { consecutiveFailures: 1 });
  early.engine.dialling.connect();
  early.engine.relaying.backendGone();
  assert.deepEqual(early.reported, ["a"]);
  assert.equal(early.session.phase, "relaying", "the client gets what is on its way");
  early.engine.relaying.clientTold();
  early.pass(500);
  early.engine.relaying.finished();
  assertOver(early, "backend_reset");

  const late = begin({ a: {} }, { consecutiveFailures: 1 });
  late.engine.dialling.connect();
  late.engine.relaying.moved("out", 1);
  late.engine.relaying.backendGone();
  late.engine.relaying.finished();
  assertOver(late, "backend_reset");
  assert.deepEqual(late.reported, []);
});

Deno.test("what the end of a session does to its backend is no failure of the backend", () => {
  const world = begin({ a: {} }, { consecutiveFailures: 1 });
  world.engine.dialling.connect();
  world.session.end("killed");
  world.engine.relaying.backendGone();
  world.engine.relaying.finished();
  assertOver(world, "killed");
  assert.deepEqual(world.reported, []);
});

Deno.test("a session ends once, and its first reason stands", () => {
  const world = begin({ a: {} });
  world.session.end("killed");
  world.session.end("shutdown");
  world.session.clientGone();
  world.pass(10_000);
  assertOver(world, "killed");
});

Deno.test("a fault of our own ends its session, with whatever it holds, and nothing else", () => {
  const shared = sharePool({ a: {} });
  const world = new FakeWorld(shared.one);
  const fault = new Error("no");
  world.engine.dial = () => {
    throw fault;
  };
  world.session.begin();
  assert.equal(world.session.endReason, "internal_error");
  assert.deepEqual([world.told.faults, world.told.left, world.told.over], [[fault], 1, 1]);
  assert.deepEqual(shared.active(), [0]);
});

Deno.test("a fault of our own in a tick, or when a client goes or half-closes, ends its session and not the thread", async () => {
  const fault = new Error("no");
  const fail = (): never => {
    throw fault;
  };
  const ticking = begin({ a: {} });
  ticking.session.activity.onTick = fail;
  ticking.pass(100);
  assert.deepEqual(ticking.told, { left: 1, over: 1, shortages: [], faults: [fault] });
  assert.deepEqual([ticking.session.endReason, ticking.active()], ["internal_error", [0]]);

  const full = fullPool({ a: SINGLE });
  const waiting = new FakeWorld(full.one);
  waiting.session.begin();
  queueOf(full.one).halfClosed = fail;
  waiting.client.endSending();
  await settled();
  assert.deepEqual(waiting.told, { left: 1, over: 1, shortages: [], faults: [fault] });
  assert.equal(full.board.count(POOL), 0, "its place in line is free");

  const gone = begin({ a: {} });
  gone.one.release = fail;
  gone.client.reads?.clientGone();
  assert.deepEqual([gone.session.phase, gone.told.faults], ["ended", [fault]]);
});

Deno.test("both peers are asked for signs of life once a session has seen a tick, and never without keepalive", () => {
  for (const [idleMs, kept] of [[5_000, 1], [0, 0]] as const) {
    const shared = sharePool({ a: {} });
    const world = new FakeWorld(shared.one, {}, idleMs);
    world.session.begin();
    world.pass(100);
    const backend = world.engine.dialling.connect();
    assert.deepEqual([world.client.kept, backend.kept], [0, 0]);
    world.pass(100);
    world.pass(100);
    assert.deepEqual([world.client.kept, backend.kept], [kept, kept]);
    world.engine.relaying.finished();
  }
});
