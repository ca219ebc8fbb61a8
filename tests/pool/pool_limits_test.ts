import assert from "node:assert/strict";
import { type AlgorithmName, algorithms } from "../../lib/balance/algorithms.ts";
import type { Backend } from "../../lib/pool/backend.ts";
import { sharePool, takeNames } from "./shared_pool.ts";

const NAMES = Object.keys(algorithms) as AlgorithmName[];

/** Gives back one slot that was taken by name. */
function release({ one, backend }: ReturnType<typeof sharePool>, name: string): void {
  one.release(backend(name));
}

Deno.test("a full backend is passed over, and nobody gets more than its limit, over both workers", () => {
  const { one, two, active } = sharePool({ a: { maxConnections: 2 }, b: {}, c: { maxConnections: 1 } });
  const taken = [one, two, one, two, one, two, one, two, one].map((pool) => pool.take([], 0)?.name);
  assert.deepEqual(taken.toSorted(), [..."aabbbbbbc"]);
  assert.deepEqual(active(), [2, 6, 1]);
});

for (const algorithm of NAMES) {
  Deno.test(`${algorithm}: when all are full there is nothing, and each slot that is freed is taken once`, () => {
    const limits = { a: { maxConnections: 2 }, b: { maxConnections: 1 }, c: { maxConnections: 3 } };
    const shared = sharePool(limits, { algorithm });
    const { one, two, active } = shared;
    const taken = [one, two, one, two, one, two].map((pool, key) => pool.take([], key)?.name);
    assert.deepEqual(taken.toSorted(), [..."aabccc"]);
    assert.equal(one.take([], 7), undefined);
    assert.equal(two.take([], 8), undefined);
    for (const name of ["b", "a", "c", "a"]) {
      release(shared, name);
      assert.deepEqual(takeNames(two, 2), [name, undefined]);
    }
    assert.deepEqual(active(), [2, 1, 3]);
  });
}

Deno.test("a limit of 0 is none", () => {
  const { one, two, active } = sharePool({ a: { maxConnections: 0 } });
  for (let i = 0; i < 1_000; i++) assert.equal((i % 2 === 0 ? one : two).take([], 0)?.name, "a");
  assert.deepEqual(active(), [1_000]);
});

Deno.test("a limit is counted for the backend by itself, not for its share", () => {
  const { one } = sharePool({ a: { weight: 10, maxConnections: 1 }, b: { weight: 1 } });
  assert.deepEqual(takeNames(one, 4), ["a", "b", "b", "b"]);
});

Deno.test("a limit that is raised counts at once; one that is lowered ends nothing and lets nobody in", () => {
  const shared = sharePool({ a: { maxConnections: 1 } });
  const { one, two, change, active } = shared;
  assert.deepEqual(takeNames(one, 2), ["a", undefined]);
  change("a", { maxConnections: 3 });
  assert.deepEqual([...takeNames(two, 2), ...takeNames(one, 1)], ["a", "a", undefined]);
  change("a", { maxConnections: 2 });
  assert.deepEqual(active(), [3]);
  release(shared, "a");
  assert.deepEqual(takeNames(two, 1), [undefined]);
  release(shared, "a");
  assert.deepEqual(takeNames(two, 2), ["a", undefined]);
});

Deno.test("a backup has sessions only while all primaries are full", () => {
  const shared = sharePool({ a: { maxConnections: 1 }, b: { maxConnections: 1 }, c: { isBackup: true } });
  const { one, two } = shared;
  assert.deepEqual(takeNames(one, 4), ["a", "b", "c", "c"]);
  release(shared, "b");
  assert.deepEqual(takeNames(two, 2), ["b", "c"]);
});

Deno.test("a backup has a limit as well, and when it is full too there is nothing", () => {
  const limits = { a: { maxConnections: 1 }, b: { isBackup: true, maxConnections: 2 } };
  const { one, two } = sharePool(limits);
  assert.deepEqual([...takeNames(one, 2), ...takeNames(two, 2)], ["a", "b", "b", undefined]);
});

Deno.test("a backup has sessions only while all primaries are down, ejected or not wanted", () => {
  const { one, two, change } = sharePool({ a: {}, b: {}, c: { isBackup: true } });
  assert.deepEqual(takeNames(one, 4), ["a", "b", "a", "b"]);
  change("a", { isUp: false });
  assert.deepEqual(takeNames(two, 2), ["b", "b"]);
  change("b", { isEjected: true });
  assert.deepEqual([...takeNames(one, 2), ...takeNames(two, 2)], ["c", "c", "c", "c"]);
  change("a", { isUp: true, operator: "draining" });
  assert.deepEqual(takeNames(two, 1), ["c"]);
  change("b", { isEjected: false });
  assert.deepEqual([...takeNames(one, 2), ...takeNames(two, 1)], ["b", "b", "b"]);
});

Deno.test("a session that has tried all primaries gets a backup, and never one that it has tried", () => {
  const { one, active } = sharePool({ a: {}, b: {}, c: { isBackup: true }, d: { isBackup: true } });
  const tried: Backend[] = [];
  for (let backend = one.take(tried, 0); backend !== undefined; backend = one.take(tried, 0)) {
    one.release(backend);
    tried.push(backend);
  }
  const names = tried.map(({ name }) => name);
  assert.deepEqual([names.slice(0, 2).sort(), names.slice(2).sort()], [["a", "b"], ["c", "d"]]);
  assert.deepEqual(active(), [0, 0, 0, 0]);
});

Deno.test("when all are down, a pool that refuses takes nothing, and one that ignores health takes them all", () => {
  const down = { a: { isUp: false }, b: { isEjected: true }, c: { isUp: false, isBackup: true } };
  const refuse = sharePool(down, { whenAllDown: "refuse" });
  assert.deepEqual(takeNames(refuse.one, 2), [undefined, undefined]);
  assert.equal(refuse.one.hasOther([]), false);

  const ignore = sharePool(down, { whenAllDown: "ignore_health" });
  assert.deepEqual([...takeNames(ignore.one, 2), ...takeNames(ignore.two, 1)], ["a", "b", "a"]);
  ignore.change("b", { isEjected: false });
  assert.deepEqual([...takeNames(ignore.one, 2), ...takeNames(ignore.two, 1)], ["b", "b", "b"]);
});

Deno.test("health that is ignored does not lift limits, nor what the operator wants", () => {
  const members = {
    a: { isUp: false, maxConnections: 1 },
    b: { isUp: false, operator: "disabled" },
    c: { isUp: false, weight: 0 },
    d: { isUp: false, isBackup: true, maxConnections: 1 },
  } as const;
  const { one, two } = sharePool(members, { whenAllDown: "ignore_health" });
  assert.deepEqual([...takeNames(one, 2), ...takeNames(two, 1)], ["a", "d", undefined]);
});

Deno.test("least_connections with limits: the emptiest that is not full, also when that has more sessions", () => {
  const limits = { a: { maxConnections: 2 }, b: { maxConnections: 1 }, c: {} };
  const shared = sharePool(limits, { algorithm: "least_connections" });
  const { one, two, active } = shared;
  for (let i = 0; i < 5; i++) (i % 2 === 0 ? one : two).take([], 0);
  assert.deepEqual(active(), [2, 1, 2]);
  assert.deepEqual([...takeNames(one, 2), ...takeNames(two, 2)], ["c", "c", "c", "c"]);
  release(shared, "b");
  assert.deepEqual(takeNames(two, 2), ["b", "c"]);
  assert.deepEqual(active(), [2, 1, 7]);
});

Deno.test("first with limits: the next one only when those before it are full", () => {
  const limits = { a: { maxConnections: 2 }, b: { maxConnections: 1 }, c: {} };
  const shared = sharePool(limits, { algorithm: "first" });
  const { one, two } = shared;
  assert.deepEqual([...takeNames(one, 2), ...takeNames(two, 3)], ["a", "a", "b", "c", "c"]);
  release(shared, "a");
  assert.deepEqual(takeNames(two, 2), ["a", "c"]);
});

Deno.test("maglev with limits: a key whose backend is full goes to another one, and comes back", () => {
  const limits = { a: { maxConnections: 1 }, b: { maxConnections: 1 }, c: { maxConnections: 1 } };
  const shared = sharePool(limits, { algorithm: "maglev" });
  const { one, two, backend } = shared;
  const key = 123_456_789;
  const own = one.take([], key)?.name ?? "";
  const other = two.take([], key)?.name ?? "";
  assert.ok(other !== "" && other !== own);
  release(shared, own);
  assert.equal(two.take([], key)?.name, own);
  two.release(backend(own));
  two.release(backend(other));
  assert.equal(one.take([backend(own)], key)?.name, other, "the same other one when its own was tried");
});
