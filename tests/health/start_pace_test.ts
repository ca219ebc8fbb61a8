// deno-lint-ignore-file no-await-in-loop -- the steps of a test follow one another

import assert from "node:assert/strict";
import { StartPace } from "../../lib/health/start_pace.ts";

/** The first starts that come in one go. */
const FIRST = 16;

/** Lets everything go on that waits for no timer. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

Deno.test("starts are spread, in the order of asking, and none is lost", async () => {
  const pace = new StartPace();
  const order: number[] = [];
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: 200 }, (_, i) => pace.next(0).then(() => order.push(i))));
  assert.deepEqual(order, Array.from({ length: 200 }, (_, i) => i));
  assert.ok(performance.now() - startedMs >= 25, "they all started at once");
});

Deno.test("a few starts wait for nothing", async () => {
  const pace = new StartPace();
  let started = 0;
  for (let i = 0; i < FIRST; i++) void pace.next(0).then(() => started++);
  await settle();
  assert.equal(started, FIRST);
});

Deno.test("pools take turns: a large one does not hold up a small one", async () => {
  const pace = new StartPace();
  const order: string[] = [];
  const ask = (pool: number, name: string): Promise<void> =>
    pace.next(pool).then(() => void order.push(name));
  const large = Array.from({ length: 500 }, (_, i) => ask(1, `large ${i}`));
  const small = [ask(2, "small 0"), ask(3, "other 0"), ask(2, "small 1")];
  await Promise.all(small);
  assert.ok(order.indexOf("small 0") <= FIRST + 2, `small 0 was number ${order.indexOf("small 0")}`);
  assert.ok(order.indexOf("other 0") <= FIRST + 3, `other 0 was number ${order.indexOf("other 0")}`);
  assert.ok(order.indexOf("small 1") <= FIRST + 6, `small 1 was number ${order.indexOf("small 1")}`);
  await Promise.all(large);
  assert.deepEqual(order.filter((it) => it.startsWith("large")), large.map((_, i) => `large ${i}`));
});

Deno.test("with more pools than starts in a slot, every pool has its turn before one has a second", async () => {
  const pace = new StartPace();
  const order: number[] = [];
  for (let i = 0; i < FIRST; i++) await pace.next(0);
  const starts = [1, 2].flatMap(() =>
    Array.from({ length: 300 }, (_, pool) => pace.next(pool).then(() => void order.push(pool)))
  );
  await Promise.all(starts);
  assert.equal(new Set(order.slice(0, 300)).size, 300);
});

Deno.test("a thread that is late begins fewer checks at a time", async () => {
  // The clock of the test runs five times as fast as the timers: each slot is late.
  const pace = new StartPace(() => performance.now() * 5);
  const counts: number[] = [];
  let started = 0;
  const all = Promise.all(Array.from({ length: 80 }, () => pace.next(0).then(() => started++)));
  let isDone = false;
  void all.then(() => isDone = true);
  while (!isDone) {
    const before = started;
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (started > before) counts.push(started - before);
  }
  assert.ok(Math.max(...counts.slice(1)) <= 2 * 8, String(counts));
});
