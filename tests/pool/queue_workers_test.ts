import { asRow } from "../support/rows.ts";
import assert from "node:assert/strict";
import type { AlgorithmName } from "../../lib/balance/algorithms.ts";
import { Ledger } from "../../lib/pool/ledger.ts";
import { assertNobodyWaits, join, outcomes } from "./line.ts";
import { onlyWhenWoken } from "./only_when_woken.ts";
import type { Order, Outcome } from "./queueing_worker.ts";
import { POOL, QUEUE, type SharedPool, sharePool } from "./shared_pool.ts";
import { within } from "./within.ts";

onlyWhenWoken();

const WORKERS = 4;
const SESSIONS = 2_500;
const AT_ONCE = 16;
const LIMITS = [1, 2, 3];
const PATIENCE_MS = 60_000;

/** Three backends with few slots, which are free, and a queue with a place for every session. */
function setUp(algorithm: AlgorithmName): SharedPool {
  const members = Object.fromEntries(LIMITS.map((maxConnections, i) => [`b${i}`, { maxConnections }]));
  const queue = { row: QUEUE, size: WORKERS * AT_ONCE, timeoutMs: 0 };
  return sharePool(members, { algorithm, queue });
}

/** A thread and the first thing that it says. */
function start<T>(order: Order): { thread: Worker; said: Promise<T> } {
  const thread = new Worker(import.meta.resolve("./queueing_worker.ts"), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  thread.onmessage = ({ data }): void => resolve(data);
  thread.onerror = (event): void => {
    event.preventDefault();
    reject(new Error(event.message));
  };
  thread.postMessage(order);
  return { thread, said: promise };
}

/** What four threads do, each with a ledger and sessions of its own. */
async function runAll({ board, one }: SharedPool, ledgers: readonly Ledger[]): Promise<Outcome[]> {
  const holding = new SharedArrayBuffer(LIMITS.length * Int32Array.BYTES_PER_ELEMENT);
  const threads = ledgers.map((ledger, worker) =>
    start<Outcome>({
      scoreboard: board.buffer,
      ledger: ledger.buffer,
      holding,
      pool: one.options,
      worker,
      workers: WORKERS,
      sessions: SESSIONS,
      atOnce: AT_ONCE,
    })
  );
  try {
    return await within(Promise.all(threads.map(({ said }) => said)), "four threads to end", PATIENCE_MS);
  } catch (cause) {
    const counts = [POOL, QUEUE, ...one.options.backends.map(({ row }) => row)].map((row) =>
      board.count(asRow(row))
    );
    throw new Error(`waiting, half-closed, active: ${counts.join()}`, { cause });
  } finally {
    for (const { thread } of threads) thread.terminate();
  }
}

for (const algorithm of ["round_robin", "least_connections"] as const) {
  Deno.test(`${algorithm}: four threads serve 10,000 sessions once each, never more at once than the limits say`, async () => {
    const shared = setUp(algorithm);
    const ledgers = Array.from({ length: WORKERS }, () => new Ledger(shared.board));
    const ended = await runAll(shared, ledgers);

    for (const { served } of ended) assert.ok(served.every((times) => times === 1), "each session once");
    const most = LIMITS.map((_, i) => Math.max(...ended.map((it) => it.most[i] ?? 0)));
    assert.ok(most.every((it, i) => it >= 1 && it <= (LIMITS[i] ?? 0)), `${most} of ${LIMITS}`);
    assert.ok(ended.every(({ waited }) => waited > 0), "somebody waited in every thread");
    assert.deepEqual(shared.active(), LIMITS.map(() => 0));
    for (const ledger of ledgers) {
      for (const { row } of shared.backends) assert.equal(ledger.held(row), 0);
      for (const row of [POOL, QUEUE]) assert.equal(ledger.held(asRow(row)), 0);
    }
    assertNobodyWaits(shared.board);
  });
}

Deno.test("a thread that hangs with all slots and is first in line holds up the others until it is ended, and no longer", async () => {
  const shared = setUp("round_robin");
  const { board, one, two, backends } = shared;
  const ledger = new Ledger(board);
  const { thread, said } = start<string>({
    scoreboard: board.buffer,
    ledger: ledger.buffer,
    holding: new SharedArrayBuffer(0),
    pool: one.options,
    worker: 2,
    workers: 1,
    sessions: 5,
    atOnce: 1,
    hangs: true,
  });
  try {
    assert.equal(await within(said, "a thread to hang"), "hangs");
    assert.deepEqual(shared.active(), LIMITS);
    const line = Array.from({ length: 8 }, (_, i) => join(i % 2 === 0 ? one : two));
    assert.deepEqual(new Set(await outcomes(board, line)), new Set(["waits"]));

    thread.terminate();
    // As the control plane does it.
    const held = ledger.settle();
    assert.equal(backends.reduce((sum, { row }) => sum + (held.get(row) ?? 0), 0), 6);
    assert.equal([POOL, QUEUE].reduce((sum, row) => sum + (held.get(row) ?? 0), 0), 5);
    board.setTableCell(QUEUE, 2, 0);
    board.wake(POOL);

    const stands = await outcomes(board, line);
    assert.deepEqual(stands.slice(0, 6).sort(), ["b0", "b1", "b1", "b2", "b2", "b2"]);
    assert.deepEqual(stands.slice(6), ["waits", "waits"]);
    assert.deepEqual(shared.active(), LIMITS);
  } finally {
    thread.terminate();
  }
});
