// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

/** What a relay holds of the worker's memory, over real sockets. */

import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import { once } from "node:events";
import { CoarseClock } from "../../lib/core/coarse_clock.ts";
import { writeAll } from "../../lib/core/connection.ts";
import { MEDIUM_BUFFER_BYTES, SMALL_BUFFER_BYTES } from "../../lib/engine/runtime/buffers.ts";
import { Session } from "../../lib/dataplane/session.ts";
import type { Engine } from "../../lib/engine/contract.ts";
import { relay, type RelayDeps } from "../../lib/engine/runtime/relay.ts";
import { RuntimeClient, RuntimeSocket } from "../../lib/engine/runtime/socket.ts";
import { TurnBudget } from "../../lib/engine/runtime/turn_budget.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { Pool } from "../../lib/pool/pool.ts";
import { Scoreboard } from "../../lib/pool/scoreboard.ts";
import { bytes, readAll, readExactly } from "../support/bytes.ts";
import { CountedBuffers } from "../support/counted_buffers.ts";
import { type Pair, pair } from "../support/pair.ts";
import { asRow } from "../support/rows.ts";
import type { Backend } from "../../lib/pool/backend.ts";
import type { PoolRow } from "../../lib/pool/row.ts";

interface Relayed {
  readonly client: Deno.TcpConn;
  readonly backend: Deno.TcpConn;
  /** The relay's own connection to the backend. */
  readonly sink: Deno.TcpConn;
  readonly buffers: CountedBuffers;
  readonly session: Session;
  readonly faults: readonly unknown[];
  readonly done: Promise<unknown>;
}

const POOL: PoolRow = asRow(1);

const BACKEND: Backend = {
  row: asRow(2),
  name: "b",
  address: { transport: "tcp", host: "", port: 1 },
  isBackup: false,
};

function poolOfOne(): Pool {
  const scoreboard = new Scoreboard();
  const options = {
    row: POOL,
    name: "web",
    algorithm: "round_robin",
    hashKey: "source_ip",
    backends: [BACKEND],
    tuning: { dialTimeoutMs: 0, retries: 0, sources: [], whenAllDown: "refuse", consecutiveFailures: 0 },
    queue: undefined,
  } as const;
  scoreboard.setFacts(POOL, BACKEND.row, { rampPercent: 100, weight: 1, maxConnections: 0 });
  const ledger = new Ledger(scoreboard);
  return new Pool(options, { scoreboard, ledger, worker: 0, onFailing: () => {} });
}

async function startRelay(
  client: Pair,
  turnBudget: RelayDeps["turnBudget"] = new TurnBudget({ size: 1 }),
): Promise<Relayed> {
  const backend = await pair();
  const buffers = new CountedBuffers();
  const faults: unknown[] = [];
  const over = Promise.withResolvers<Session>();
  const none = { idleTimeoutMs: 0, halfCloseTimeoutMs: 0, maxSessionDurationMs: 0 };
  const context = {
    row: asRow<"listener">(0),
    sessionsRow: asRow<"sessions">(3),
    name: "web",
    pool: poolOfOne(),
    greeting: undefined,
    limits: none,
    keepalive: { idleMs: 0, intervalMs: 0, count: 0 },
  };
  const relaying = Promise.withResolvers<void>();
  const engine: Engine = {
    close: () => Promise.resolve(),
    listen: () => assert.fail(),
    dial: (_, on) => {
      queueMicrotask(() => on.connected(new RuntimeSocket(backend.end)));
      return () => {};
    },
    whenDescriptor: () => assert.fail(),
    later: () => assert.fail(),
    every: () => assert.fail(),
    woken: () => assert.fail(),
    tlsServer: () => assert.fail(),
    tlsClient: () => assert.fail(),
    relay: (client, backend, on) => {
      relay(client as RuntimeClient, backend as RuntimeSocket, on, { buffers, turnBudget });
      relaying.resolve();
    },
  };
  const session = new Session(new RuntimeClient(client.end, buffers), context, () => {}, {
    engine,
    clock: new CoarseClock(),
    tls: { ofPool: () => assert.fail() },
    sessionIdPrefix: "w-",
    onShortage: () => assert.fail(),
    onFault: (fault) => faults.push(fault),
    onOver: over.resolve,
  }, 1);
  session.begin();
  await relaying.promise;
  return {
    ...{ client: client.peer, backend: backend.peer, sink: backend.end },
    ...{ buffers, session, faults, done: over.promise },
  };
}

function sizes(buffers: CountedBuffers): number[] {
  return [...buffers.inUse].map((buffer) => buffer.length).sort((a, b) => a - b);
}

Deno.test("a relay that waits holds a small buffer for each direction, and none when it is over", async () => {
  const { client, backend, buffers, session, done } = await startRelay(await pair());
  await writeAll(client, bytes("hello"));
  await readExactly(backend, 5);
  assert.deepEqual(sizes(buffers), [SMALL_BUFFER_BYTES, SMALL_BUFFER_BYTES]);
  await client.closeWrite();
  await backend.closeWrite();
  await Promise.all([readAll(client), readAll(backend)]);
  await done;
  assert.deepEqual(sizes(buffers), []);
  session.end("done");
  client.close();
  backend.close();
});

Deno.test("a session that rests after bulk data holds little of it", async () => {
  const { client, backend, buffers, session, done } = await startRelay(await pair());
  for (const size of [5_000_000, 300_000, 70_000, 64 * 1024, 9_000]) {
    const received = readExactly(client, size);
    await writeAll(backend, new Uint8Array(size));
    await received;
    // One turn of the loop later the relay waits for more.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const held = sizes(buffers).reduce((sum, it) => sum + it, 0);
    assert.ok(held <= SMALL_BUFFER_BYTES + MEDIUM_BUFFER_BYTES + 64 * 1024, `${held} bytes after ${size}`);
  }
  session.end("done");
  await done;
  assert.deepEqual(sizes(buffers), []);
  client.close();
  backend.close();
});

Deno.test("buffers come back when a session is ended in the middle, and when its client resets", async () => {
  const ended = await startRelay(await pair());
  await writeAll(ended.client, new Uint8Array(100_000));
  ended.session.end("idle_timeout");
  await ended.done;
  assert.deepEqual(sizes(ended.buffers), []);
  ended.client.close();
  ended.backend.close();

  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const socket = connectSocket({ host: "127.0.0.1", port: listener.addr.port });
  const [end] = await Promise.all([listener.accept(), once(socket, "connect")]);
  listener.close();
  const reset = await startRelay({ peer: end, end });
  socket.resetAndDestroy();
  await once(socket, "close");
  await reset.done;
  assert.deepEqual(sizes(reset.buffers), []);
  assert.equal(reset.session.phase, "ended");
  reset.backend.close();
});

Deno.test("a fault of our own ends the session and is told, and the buffers come back", async () => {
  const { client, backend, buffers, session, faults, done } = await startRelay(await pair());
  session.moved = () => {
    throw new Error("broken");
  };
  await writeAll(client, bytes("hello"));
  assert.deepEqual(await readAll(client), bytes(""));
  await done;
  assert.match(String(faults), /broken/);
  assert.equal(session.endReason, "internal_error");
  assert.deepEqual(sizes(buffers), []);
  client.close();
  backend.close();
});

Deno.test("a session that ends while a chunk waits for a later turn gives everything back", async () => {
  const arrived = Promise.withResolvers<() => void>();
  const { client, backend, buffers, session, done } = await startRelay(await pair(), {
    spend: arrived.resolve,
  });
  await writeAll(client, bytes("hello"));
  const pass = await arrived.promise;
  session.end("idle_timeout");
  pass();
  await done;
  assert.deepEqual(sizes(buffers), []);
  assert.equal(session.endReason, "idle_timeout");
  client.close();
  backend.close();
});

Deno.test("a sink that takes a few bytes at a time gets all of them in order", async () => {
  const { client, backend, sink, session, done } = await startRelay(await pair());
  const write = sink.write.bind(sink);
  sink.write = (chunk) => write(chunk.subarray(0, 7));
  const sent = Uint8Array.from({ length: 3_000 }, (_, i) => i * i % 251);
  await writeAll(client, sent);
  assert.deepEqual(await readExactly(backend, sent.length), sent);
  session.end("done");
  await done;
  assert.equal(session.activity.bytesIn, sent.length);
  client.close();
  backend.close();
});
