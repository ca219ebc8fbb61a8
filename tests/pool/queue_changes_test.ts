/** What befalls a line: backends that were tried, and that go and come. */

import assert from "node:assert/strict";
import { assertNobodyWaits, ended, join, outcomes } from "./line.ts";
import { onlyWhenWoken } from "./only_when_woken.ts";
import { fullPool, QUEUE, queueOf, sharePool, SINGLE, takeNames } from "./shared_pool.ts";

onlyWhenWoken();

Deno.test("a slot that is freed between the pick that failed and getting in line is not lost", async () => {
  const { board, one, two, backend } = fullPool({ a: SINGLE });
  assert.equal(two.take([], 0), undefined);
  one.release(backend("a"));
  assert.equal(await ended(join(two)), "a");
  assertNobodyWaits(board);
});

Deno.test("a slot that is freed while others wait goes to them, not to who gets in line just then", async () => {
  const { board, one, two, backend } = fullPool({ a: SINGLE });
  const first = join(one);
  two.release(backend("a"));
  const line = [first, join(two)];
  assert.deepEqual(await outcomes(board, line), ["a", "waits"]);
});

Deno.test("several slots that are freed at once serve as many of each worker", async () => {
  const { board, one, two, backends, active } = fullPool({ a: SINGLE, b: SINGLE, c: SINGLE });
  const line = [one, one, two, one, two].map((pool) => join(pool));
  for (const backend of backends) two.release(backend);
  const stands = await outcomes(board, line);
  assert.deepEqual([stands.slice(0, 3).sort(), stands.slice(3)], [["a", "b", "c"], ["waits", "waits"]]);
  assert.deepEqual(active(), [1, 1, 1]);
});

for (const [where, other] of [["the same", "one"], ["the other", "two"]] as const) {
  Deno.test(`one that has tried the free backend does not hold up those behind it, in ${where} worker`, async () => {
    const shared = fullPool({ a: SINGLE, b: SINGLE });
    const { board, one, backend } = shared;
    const line = [join(one, [backend("a")]), join(shared[other])];
    one.release(backend("a"));
    assert.deepEqual(await outcomes(board, line), ["waits", "a"]);
    shared[other].release(backend("b"));
    assert.deepEqual(await outcomes(board, line), ["b", "a"]);
    assertNobodyWaits(board);
  });
}

Deno.test("one that has tried a backend gets another one when its time comes, and never that one", async () => {
  const { board, one, two, backend, active } = fullPool({ a: SINGLE, b: SINGLE });
  const line = [join(two, [backend("a")]), join(two, [backend("b")])];
  one.release(backend("b"));
  assert.deepEqual(await outcomes(board, line), ["b", "waits"]);
  one.release(backend("a"));
  assert.deepEqual(await outcomes(board, line), ["b", "a"]);
  assert.deepEqual(active(), [1, 1]);
  assertNobodyWaits(board);
});

Deno.test("who comes when only such wait that have tried the free backend gets it at once", async () => {
  const { board, one, two, backend } = fullPool({ a: SINGLE, b: SINGLE });
  const waits = join(two, [backend("a")]);
  one.release(backend("a"));
  assert.deepEqual(await outcomes(board, [waits]), ["waits"]);
  const line = [waits, join(two), join(one)];
  assert.deepEqual(await outcomes(board, line), ["waits", "a", "waits"]);
});

Deno.test("one that has tried a backend waits no longer than others may", async () => {
  const { board, one, backend } = fullPool({ a: SINGLE, b: SINGLE }, { timeoutMs: 500 });
  const line = [join(one, [backend("a")], 1_000), join(one, [backend("a")], 1_001)];
  queueOf(one).onTick(1_500);
  assert.deepEqual(await outcomes(board, line), ["queue_timeout", "waits"]);
});

Deno.test("a waiting session gets a backup that becomes free", async () => {
  const { board, one, two, backend } = fullPool({ a: SINGLE, b: { ...SINGLE, isBackup: true } });
  const waiting = join(two);
  one.release(backend("b"));
  assert.equal(await ended(waiting), "b");
  assertNobodyWaits(board);
});

Deno.test("when all backends go, nobody waits any longer, in any worker", async () => {
  const { board, one, two, change } = fullPool({ a: SINGLE, b: SINGLE });
  const line = [one, two, one, two].map((pool) => join(pool));
  change("a", { isUp: false });
  assert.deepEqual(await outcomes(board, line), line.map(() => "waits"));
  change("b", { operator: "draining" });
  assert.deepEqual(await outcomes(board, line), line.map(() => "no_backend"));
  assertNobodyWaits(board);
});

Deno.test("when all backends but those that it has tried go, a session waits no longer; others do", async () => {
  const { board, one, two, backend, change } = fullPool({ a: SINGLE, b: SINGLE });
  const line = [join(one, [backend("a")]), join(one), join(two)];
  change("b", { isEjected: true });
  assert.deepEqual(await outcomes(board, line), ["no_backend", "waits", "waits"]);
  one.release(backend("a"));
  assert.deepEqual(await outcomes(board, line), ["no_backend", "a", "waits"]);
});

Deno.test("that nothing is left to wait for, a session is told also behind one that waits on", async () => {
  const { board, one, two, backend, change } = fullPool({ a: SINGLE, b: SINGLE });
  const line = [join(one), join(one, [backend("a")]), join(two), join(two, [backend("a")])];
  change("b", { isEjected: true });
  assert.deepEqual(await outcomes(board, line), ["waits", "no_backend", "waits", "no_backend"]);
});

Deno.test("who gets in line when there is nobody to wait for is told so at once", async () => {
  const { board, one, backend, change } = fullPool({ a: SINGLE });
  assert.equal(await ended(join(one, [backend("a")])), "no_backend");
  change("a", { weight: 0 });
  assert.equal(await ended(join(one)), "no_backend");
  assertNobodyWaits(board);
});

Deno.test("a limit that is raised serves those who wait, in both workers, in their order", async () => {
  const { board, one, two, change } = fullPool({ a: SINGLE });
  const line = [one, two, two, one].map((pool) => join(pool));
  change("a", { maxConnections: 3 });
  assert.deepEqual(await outcomes(board, line), ["a", "a", "waits", "waits"]);
  change("a", { maxConnections: 0 });
  assert.deepEqual(await outcomes(board, line), ["a", "a", "a", "a"]);
  assertNobodyWaits(board);
});

Deno.test("a backend that comes back serves those who wait", async () => {
  const { board, one, two, change } = fullPool({ a: SINGLE, b: { isUp: false } });
  const line = [join(two), join(one)];
  change("b", { isUp: true });
  assert.deepEqual(await outcomes(board, line), ["b", "b"]);
  assertNobodyWaits(board);
});

Deno.test("rules that are adjusted meanwhile hold for those who wait, from the next tick on", async () => {
  const queue = { row: QUEUE, size: 10, timeoutMs: 0 };
  const { board, one } = sharePool({ a: { ...SINGLE, isUp: false } }, {
    whenAllDown: "ignore_health",
    queue,
  });
  assert.deepEqual(takeNames(one, 1), ["a"]);
  const waits = join(one);
  assert.deepEqual(await outcomes(board, [waits]), ["waits"]);
  one.adjust({ ...one.options, tuning: { ...one.options.tuning, whenAllDown: "refuse" } });
  queueOf(one).onTick(0);
  assert.deepEqual(await outcomes(board, [waits]), ["no_backend"]);
});
