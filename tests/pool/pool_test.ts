import assert from "node:assert/strict";
import type { Backend } from "../../lib/pool/backend.ts";
import { Pool } from "../../lib/pool/pool.ts";
import type { BackendFacts } from "../../lib/pool/scoreboard.ts";
import { sharePool, takeNames } from "./shared_pool.ts";
import { asRow } from "../support/rows.ts";

const THREE = { a: {}, b: {}, c: {} };

/** How often each of the names occurs. */
function counted(names: readonly (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name ?? "none"] = (counts[name ?? "none"] ?? 0) + 1;
  return counts;
}

Deno.test("the pools of all workers take their turns together", () => {
  const { one, two } = sharePool(THREE);
  const taken = [one, two, two, one, two].map((pool) => pool.take([], 0)?.name);
  assert.deepEqual(taken, ["a", "b", "c", "a", "b"]);
});

Deno.test("weights are exact over the pools of two workers, whichever of them is asked", () => {
  const { one, two, active } = sharePool({ a: { weight: 5 }, b: {}, c: {} });
  const asked = [one, one, two, one, two, two, two, two, one, one, two, one, two, one];
  const taken = asked.map((pool) => pool.take([], 0)?.name).join("");
  assert.equal(taken, "aabacaaaabacaa");
  assert.deepEqual(active(), [10, 2, 2]);
});

Deno.test("a slot is taken with the pick and stays until it is given back", () => {
  const { one, two, active } = sharePool(THREE);
  const first = one.take([], 0);
  for (let i = 0; i < 3; i++) two.take([], 0);
  assert.deepEqual(active(), [2, 1, 1]);
  assert.ok(first !== undefined);
  one.release(first);
  assert.deepEqual(active(), [1, 1, 1]);
});

Deno.test("what was tried is not taken again, and has no slot taken", () => {
  const { one, active } = sharePool(THREE);
  const tried: Backend[] = [];
  for (let i = 0; i < 3; i++) {
    const backend = one.take(tried, 0);
    assert.ok(backend !== undefined && !tried.includes(backend));
    one.release(backend);
    tried.push(backend);
  }
  assert.equal(one.take(tried, 0), undefined);
  assert.deepEqual(active(), [0, 0, 0]);
});

Deno.test("what one session has tried the next one may take", () => {
  const { one, backends } = sharePool(THREE);
  assert.equal(one.take(backends, 0), undefined);
  assert.deepEqual(takeNames(one, 3).sort(), ["a", "b", "c"]);
});

Deno.test("a worker that dies gives back the slots of its pools, and no others", () => {
  const { one, two, ledgers, backends, active } = sharePool(THREE);
  for (const pool of [one, two, one, two, two]) pool.take([], 0);
  assert.deepEqual([...ledgers[1].settle()], [[backends[0]?.row, 1], [backends[1]?.row, 2]]);
  assert.deepEqual(active(), [1, 0, 1]);
});

Deno.test("two pools take turns by themselves, even over the same backends", () => {
  const { board, ledgers, one, active } = sharePool(THREE);
  const deps = { scoreboard: board, ledger: ledgers[0], worker: 0, onFailing: () => {} };
  const api = new Pool({ ...one.options, row: asRow(50), name: "api" }, deps);
  assert.deepEqual([one, one, api, one, api].map((pool) => pool.take([], 0)?.name), [
    "a",
    "b",
    "a",
    "c",
    "b",
  ]);
  assert.deepEqual(active(), [2, 2, 1]);
});

Deno.test("a pool without backends takes nothing, and has nothing to wait for", () => {
  const { one } = sharePool({});
  assert.equal(one.take([], 0), undefined);
  assert.equal(one.hasOther([]), false);
});

Deno.test("a change is seen with the next pick of each worker's pool", () => {
  const leaves: Partial<BackendFacts>[] = [
    { isUp: false },
    { isEjected: true },
    { operator: "draining" },
    { operator: "disabled" },
    { weight: 0 },
  ];
  const returns = { isUp: true, isEjected: false, operator: "enabled", weight: 1 } as const;
  const { one, two, change } = sharePool(THREE);
  const taken = (): Record<string, number> => counted([...takeNames(one, 3), ...takeNames(two, 3)]);
  for (const facts of leaves) {
    assert.deepEqual(taken(), { a: 2, b: 2, c: 2 });
    change("b", facts);
    assert.deepEqual(taken(), { a: 3, c: 3 }, JSON.stringify(facts));
    change("b", returns);
  }
});

Deno.test("a new weight counts from the next pick on", () => {
  const { one, two, change } = sharePool({ a: {}, b: {} });
  assert.deepEqual(counted([...takeNames(one, 2), ...takeNames(two, 2)]), { a: 2, b: 2 });
  change("a", { weight: 3 });
  assert.deepEqual(counted([...takeNames(one, 3), ...takeNames(two, 5)]), { a: 6, b: 2 });
});

Deno.test("a backend that starts slowly has the part of its share that it is ramped up to", () => {
  const { one, two, change } = sharePool({ a: { weight: 4 }, b: { weight: 4, rampPercent: 10 } });
  assert.deepEqual(counted([...takeNames(one, 6), ...takeNames(two, 5)]), { a: 10, b: 1 });
  change("b", { rampPercent: 50 });
  assert.deepEqual(counted([...takeNames(one, 2), ...takeNames(two, 4)]), { a: 4, b: 2 });
  change("b", { rampPercent: 100 });
  assert.deepEqual(counted([...takeNames(one, 3), ...takeNames(two, 3)]), { a: 3, b: 3 });
});

Deno.test("the whole share is there at 1 percent when all start slowly", () => {
  const { one } = sharePool({ a: { rampPercent: 1, weight: 2 }, b: { rampPercent: 1 } });
  assert.deepEqual(counted(takeNames(one, 6)), { a: 4, b: 2 });
});

Deno.test("there is another one as long as one that was not tried may be picked, even if it is full", () => {
  const { one, backend, change } = sharePool({ a: { maxConnections: 1 }, b: {}, c: { isBackup: true } });
  const [a, b, c] = ["a", "b", "c"].map(backend) as [Backend, Backend, Backend];
  one.take([], 0);
  assert.equal(one.hasOther([]), true);
  assert.equal(one.hasOther([b, c]), true, "a is full");
  assert.equal(one.hasOther([a, b]), true, "c is a backup");
  assert.equal(one.hasOther([a, b, c]), false);
  change("a", { isUp: false });
  assert.equal(one.hasOther([b, c]), false, "a is down");
  change("c", { operator: "draining" });
  assert.equal(one.hasOther([a, b]), false, "c drains");
  assert.equal(one.hasOther([a]), true);
});

Deno.test("a pool that is adjusted goes by the other rules from the next pick on, and keeps all else", () => {
  const { one, two, backend, reported } = sharePool({ a: { isUp: false } }, { consecutiveFailures: 1 });
  assert.deepEqual(takeNames(one, 1), [undefined]);
  const tuning = {
    dialTimeoutMs: 1,
    retries: 0,
    sources: [],
    whenAllDown: "ignore_health",
    consecutiveFailures: 2,
  } as const;
  const before = one.options;
  one.adjust({ ...before, tuning });
  assert.deepEqual(one.options, { ...before, tuning });
  assert.deepEqual([...takeNames(one, 1), ...takeNames(two, 1)], ["a", undefined]);
  one.failed(backend("a"));
  assert.deepEqual(reported, []);
  one.failed(backend("a"));
  assert.deepEqual(reported, ["a"]);
  one.adjust({ ...before, tuning: { ...tuning, whenAllDown: "refuse" } });
  assert.deepEqual(takeNames(one, 1), [undefined]);
});

Deno.test("the key of a client is asked for by maglev alone", () => {
  const client = { transport: "tcp", host: "192.0.2.7", port: 1 } as const;
  const key = (algorithm: "maglev" | "round_robin", hashKey: "source_ip" | "source_address", port = 1) =>
    sharePool(THREE, { algorithm, hashKey }).one.keyOf({ source: { ...client, port } });
  assert.notEqual(key("maglev", "source_ip"), 0);
  assert.equal(key("maglev", "source_ip"), key("maglev", "source_ip", 2));
  assert.notEqual(key("maglev", "source_address"), key("maglev", "source_address", 2));
  assert.equal(key("round_robin", "source_ip"), 0);
});
