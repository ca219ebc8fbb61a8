/** The data plane of a worker, without sockets: connections come in, and its clock ticks, when the test says so. */

import assert from "node:assert/strict";
import {
  type FromWorker,
  type ListenerOptions,
  NO_TLS_KEYS,
  type PlaneOptions,
} from "../../lib/dataplane/messages.ts";
import type { Confinement } from "../../lib/engine/confinement.ts";
import { Plane } from "../../lib/dataplane/plane.ts";
import type {
  AcceptOptions,
  ClientSocket,
  Engine,
  Listener,
  RelayEvents,
} from "../../lib/engine/contract.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import type { QueueOptions } from "../../lib/pool/queue.ts";
import { asRow } from "../support/rows.ts";
import { type MemberOptions, QUEUE, type SharedPool, sharePool, SINGLE } from "../pool/shared_pool.ts";
import { FakeClient, FakeEngine, settled } from "./fake_engine.ts";

const CONFINEMENT: Confinement = { by: ["permissions"], missing: undefined };

const LISTENER: ListenerOptions = {
  row: asRow(50),
  sessionsRow: asRow(51),
  name: "front",
  address: { transport: "tcp", host: "192.0.2.1", port: 80 },
  pool: asRow(0),
  maxConnections: 0,
  backlog: 16,
  keepalive: { idleMs: 0, intervalMs: 1_000, count: 3 },
  limits: { idleTimeoutMs: 0, halfCloseTimeoutMs: 0, maxSessionDurationMs: 0 },
};

class FakeListener implements Listener {
  isClosed = false;
  #options: AcceptOptions<ClientSocket> | undefined;

  accept(options: AcceptOptions<ClientSocket>): Promise<void> {
    this.#options = options;
    return new Promise((resolve) => {
      options.stop.addEventListener("abort", () => {
        this.close();
        resolve();
      });
    });
  }

  close(): void {
    this.isClosed = true;
  }

  /** A client connects. Undefined when the limiter keeps it out. */
  connect(client = new FakeClient()): FakeClient | undefined {
    const { limiter, serve } = this.#options ?? assert.fail("it does not accept");
    if (!limiter.enter()) return undefined;
    serve(client, limiter.leave);
    return client;
  }
}

interface Running extends SharedPool {
  readonly plane: Plane;
  readonly told: FromWorker[];
  readonly fake: FakeEngine;
  readonly listeners: FakeListener[];
  /** Of each session that was relayed, in order. */
  readonly relays: RelayEvents[];
  readonly state: { isClosed: boolean; isTicking: boolean };
  connect(): FakeClient;
  /** What was told of this type. */
  of<T extends FromWorker["type"]>(type: T): Extract<FromWorker, { type: T }>[];
}

interface Options extends Partial<PlaneOptions> {
  readonly queue?: QueueOptions;
  readonly confine?: () => Confinement;
}

/** A plane with one pool of these backends. */
function make(
  members: Record<string, MemberOptions> = { a: {} },
  { queue, confine = () => CONFINEMENT, ...options }: Options = {},
): Running {
  const shared = sharePool(members, { queue });
  const told: FromWorker[] = [];
  const fake = new FakeEngine();
  const listeners: FakeListener[] = [];
  const relays: RelayEvents[] = [];
  const state = { isClosed: false, isTicking: false };
  const engine: Engine = {
    listen: () => {
      const listener = new FakeListener();
      listeners.push(listener);
      return Promise.resolve(listener);
    },
    dial: (addresses, on) => fake.dial(addresses, on),
    whenDescriptor: (call) => fake.whenDescriptor(call),
    later: (ms, call) => fake.later(ms, call),
    every: () => {
      state.isTicking = true;
      return () => void (state.isTicking = false);
    },
    woken: () => new Promise(() => {}),
    relay: (_client, _backend, on) => void relays.push(on),
    tlsServer: () => fake.tlsServer(),
    tlsClient: () => fake.tlsClient(),
    close: () => {
      state.isClosed = true;
      return Promise.resolve();
    },
  };
  const plane = new Plane(
    {
      ...{ worker: 0, sessionIdPrefix: "w-", engine: { kind: "runtime" }, listeners: [LISTENER] },
      ...{
        pools: [shared.one.options],
        keys: NO_TLS_KEYS,
        filesRow: asRow(52),
        recordSessions: true,
        tallySessions: false,
      },
      ...{ scoreboard: shared.board.buffer, ledger: new Ledger(shared.board).buffer },
      ...options,
    },
    (message) => told.push(message),
    () => ({ engine, ring: () => {}, confine }),
  );
  return {
    ...shared,
    ...{ plane, told, fake, listeners, relays, state },
    connect: () => listeners[0]?.connect() ?? assert.fail("it was kept out"),
    of: (type) => told.filter((it) => it.type === type) as Extract<FromWorker, { type: typeof type }>[],
  };
}

/** A plane that listens. */
async function start(members?: Record<string, MemberOptions>, options?: Options): Promise<Running> {
  const running = make(members, options);
  await running.plane.start();
  return running;
}

/** A plane that accepts. */
async function accepting(members?: Record<string, MemberOptions>, options?: Options): Promise<Running> {
  const running = await start(members, options);
  running.plane.accept();
  return running;
}

/** Why each session that was reported has ended. */
function ends({ of }: Running): string[] {
  return of("sessions").flatMap(({ records }) => records.map(({ id, end }) => `${id} ${end}`));
}

Deno.test("a plane listens first, and accepts when it is told to", async () => {
  const { plane, told, listeners, connect, fake } = await start();
  assert.deepEqual(told, [{ type: "listening", confinement: CONFINEMENT }]);
  assert.throws(() => listeners[0]?.connect(), /it does not accept/);
  plane.accept();
  connect();
  assert.equal(fake.dials.length, 1);
});

Deno.test("a plane that cannot be confined as required listens on nothing, and tells nothing", async () => {
  const { plane, told, listeners, state } = make({}, { confine: () => assert.fail("no Landlock") });
  await assert.rejects(plane.start(), /no Landlock/);
  assert.deepEqual(listeners.map((it) => it.isClosed), [true]);
  assert.deepEqual([told, state.isTicking], [[], false]);
});

Deno.test("a session is counted while it lasts, and its record goes with the next tick", async () => {
  const running = await accepting();
  const { plane, board, fake, relays, connect, of, active } = running;
  const client = connect();
  fake.dialling.connect();
  assert.deepEqual([board.count(LISTENER.row), board.count(LISTENER.sessionsRow), active()], [1, 1, [1]]);
  relays[0]?.moved("in", 12);
  relays[0]?.finished();
  assert.deepEqual([board.count(LISTENER.row), board.count(LISTENER.sessionsRow), active()], [0, 0, [0]]);
  assert.ok(client.isClosed);
  plane.onTick(0);
  const [record] = of("sessions")[0]?.records ?? [];
  assert.deepEqual(
    [record?.id, record?.listener, record?.pool, record?.backend, record?.bytes_in, record?.end],
    ["w-1", "front", "web", "a", 12, "done"],
  );
});

Deno.test("a session whose client fails in a way of its own ends alone, with a warning", async () => {
  const running = await accepting();
  const { plane, listeners, connect, fake, of } = running;
  const broken = new FakeClient();
  broken.readAhead = () => assert.fail("broken");
  listeners[0]?.connect(broken);
  connect();
  assert.equal(fake.dials.length, 1);
  assert.deepEqual(of("warning").map(({ event }) => event), ["session_failed"]);
  plane.onTick(0);
  assert.deepEqual(ends(running), ["w-1 internal_error"]);
});

Deno.test("open files that keep a connection out are wanted, once a tick", async () => {
  const filesRow = asRow<"open files">(52);
  const { plane, board, listeners, connect, of } = await accepting({ a: {} }, { filesRow });
  board.setLimit(filesRow, 1);
  connect();
  assert.deepEqual([listeners[0]?.connect(), listeners[0]?.connect()], [undefined, undefined]);
  assert.equal(of("files_wanted").length, 1);
  plane.onTick(0);
  assert.equal(listeners[0]?.connect(), undefined);
  assert.equal(of("files_wanted").length, 2);
});

Deno.test("a drain stops accepting at once, lets sessions finish, and stops the clock and the engine last", async () => {
  const running = await accepting();
  const { plane, listeners, connect, fake, relays, told, state } = running;
  connect();
  fake.dialling.connect();
  const drained = plane.drain();
  assert.ok(listeners[0]?.isClosed);
  await settled();
  assert.deepEqual([told.at(-1), state], [{ type: "closed" }, { isClosed: false, isTicking: true }]);
  relays[0]?.finished();
  await drained;
  assert.deepEqual(state, { isClosed: true, isTicking: false });
  assert.deepEqual(ends(running), ["w-1 done"]);
  assert.deepEqual(told.at(-1), { type: "drained", closedSessions: 0 });
});

Deno.test("sessions that are left after a drain are ended, whether they relay, dial or wait for a slot", async () => {
  const queue = { row: QUEUE, size: 10, timeoutMs: 0 };
  const running = await accepting({ a: SINGLE, b: SINGLE }, { queue });
  const { plane, connect, fake, relays, told, active } = running;
  const clients = [connect(), connect(), connect()];
  fake.dials[0]?.connect();
  const drained = plane.drain();
  plane.closeSessions();
  assert.deepEqual(clients.map((it) => it.isClosed), [true, true, true]);
  relays[0]?.finished();
  await drained;
  assert.ok(fake.isQuiet && fake.dials.length === 2);
  assert.deepEqual(active(), [0, 0]);
  assert.deepEqual(ends(running).sort(), ["w-1 shutdown", "w-2 shutdown", "w-3 shutdown"]);
  assert.deepEqual(told.at(-1), { type: "drained", closedSessions: 3 });
});

Deno.test("one session is ended by its id, and it is told whether there was one", async () => {
  const running = await accepting();
  const { plane, connect, of } = running;
  const clients = [connect(), connect()];
  plane.endSession(5, "w-2", "killed");
  plane.endSession(6, "w-2", "killed");
  assert.deepEqual(of("session_ended").map(({ request, found }) => [request, found]), [[5, true], [
    6,
    false,
  ]]);
  assert.deepEqual(clients.map((it) => it.isClosed), [false, true]);
  plane.onTick(0);
  assert.deepEqual(ends(running), ["w-2 killed"]);
});

Deno.test("sessions at a backend are ended, those at others go on", async () => {
  const { plane, connect, fake, backend } = await accepting({ a: {}, b: {} });
  const clients = [connect(), connect(), connect()];
  for (const dial of fake.dials) dial.connect();
  plane.endSessions(backend("a").row, "backend_down");
  assert.deepEqual(clients.map((it) => it.isClosed), [true, false, true]);
});

Deno.test("active sessions are listed, the oldest first, as far as they fit the filter and the limit", async () => {
  const { plane, connect, fake, of } = await accepting({ a: {}, b: {} });
  for (let i = 0; i < 4; i++) connect();
  for (const dial of fake.dials.slice(0, 3)) dial.connect();
  const list = (limit: number, filter: Parameters<Plane["listSessions"]>[2]): string[] => {
    plane.listSessions(1, limit, filter);
    return of("live_sessions").at(-1)?.sessions.map(({ id, backend }) => `${id} ${backend}`) ?? [];
  };
  assert.deepEqual(list(10, {}), ["w-1 a", "w-2 b", "w-3 a", "w-4 null"]);
  assert.deepEqual(list(1, { backend: "a" }), ["w-1 a"]);
  assert.deepEqual(list(10, { backend: "a", client: "192.0.2.7" }), ["w-1 a", "w-3 a"]);
  assert.deepEqual(list(10, { pool: "other" }), []);
  assert.deepEqual(list(10, { listener: "front", client: "198.51" }), []);
});

Deno.test("a pool that is adjusted picks among its new members, and what was reported comes before the answer", async () => {
  const { plane, connect, fake, relays, one, backend, told } = await accepting({ a: {}, b: {} });
  connect();
  fake.dialling.connect();
  relays[0]?.finished();
  told.length = 0;
  const { row, tuning } = one.options;
  plane.adjust(9, [{ row, tuning, backends: [backend("b")] }]);
  assert.deepEqual(told.map(({ type }) => type), ["sessions", "adjusted"]);
  for (let i = 0; i < 3; i++) {
    connect();
    assert.deepEqual(fake.dialling.addresses, [backend("b").address]);
  }
});

Deno.test("a tick ends what has waited too long in the queue", async () => {
  const queue = { row: QUEUE, size: 10, timeoutMs: 50 };
  const running = await accepting({ a: SINGLE }, { queue });
  const { plane, connect } = running;
  const clients = [connect(), connect()];
  plane.onTick(performance.now() + 60_000);
  await settled();
  assert.deepEqual(clients.map((it) => it.isClosed), [false, true]);
  plane.onTick(performance.now() + 60_000);
  assert.deepEqual(ends(running), ["w-2 queue_timeout"]);
});
