/** A pool that is told of other members while it is in use. */

import assert from "node:assert/strict";
import type { Backend } from "../../lib/pool/backend.ts";
import type { Pool } from "../../lib/pool/pool.ts";
import { sharePool, SINGLE, takeNames } from "./shared_pool.ts";

const THREE = { a: {}, b: {}, c: {} };

function tell(pool: Pool, backends: readonly Backend[]): void {
  pool.adjust({ tuning: pool.options.tuning, backends });
}

Deno.test("members that come are picked, and those that left are not, from the next pick on", () => {
  const { one, two, backends } = sharePool(THREE);
  const [a, b, c] = backends;
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  tell(one, [a]);
  assert.deepEqual(takeNames(one, 2), ["a", "a"]);
  assert.deepEqual(new Set(takeNames(two, 3)), new Set(["a", "b", "c"]), "that was not told");
  tell(one, [c, b]);
  assert.deepEqual(new Set(takeNames(one, 2)), new Set(["b", "c"]));
});

Deno.test("the slot of a member that has left is given back where it was taken", () => {
  const { one, board, backends } = sharePool({ a: SINGLE, b: SINGLE });
  const [a, b] = backends;
  assert.ok(a !== undefined && b !== undefined);
  assert.equal(one.take([b], 0), a);
  tell(one, [b]);
  one.release(a);
  assert.equal(board.count(a.row), 0);
  tell(one, [a, b]);
  assert.equal(one.take([b], 0)?.name, "a");
});

Deno.test("a member that has moved is the same by its row: what was tried is not tried again", () => {
  const { one, backends } = sharePool({ a: {}, b: {} });
  const [a, b] = backends;
  assert.ok(a !== undefined && b !== undefined);
  const moved: Backend = { ...a, address: { transport: "tcp", host: "127.0.0.1", port: 9_999 } };
  tell(one, [moved, b]);
  assert.equal(one.take([a], 0), b);
  assert.equal(one.take([b], 0), moved);
});

Deno.test("a backend that has the row of one that was tried, and is gone, was not tried", () => {
  const { one, backends } = sharePool({ a: {} });
  const [a] = backends;
  assert.ok(a !== undefined);
  const other: Backend = { ...a, name: "other" };
  tell(one, [other]);
  assert.equal(one.hasOther([a]), true);
  assert.equal(one.take([a], 0), other);
});

Deno.test("with maglev, hardly any client moves that had another member than the one that left", () => {
  const names = Array.from({ length: 20 }, (_, i) => `member-${i}`);
  const { one, backends } = sharePool(Object.fromEntries(names.map((name) => [name, {}])), {
    algorithm: "maglev",
  });
  const keys = Array.from({ length: 5_000 }, (_, i) => Math.imul(i + 1, 0x9e37_79b1) >>> 0);
  const homes = (): string[] => keys.map((key) => one.take([], key)?.name ?? assert.fail());
  const before = homes();
  const gone = backends[7];
  tell(one, backends.filter((it) => it !== gone));
  const during = homes();
  tell(one, backends);
  assert.deepEqual(homes(), before, "when it returns, all are where they were");

  const others = keys.map((_, i) => i).filter((i) => before[i] !== gone?.name);
  const moved = others.filter((i) => during[i] !== before[i]);
  assert.ok(others.length > 4_500 && !during.includes(gone?.name ?? ""));
  // The paper (Eisenbud et al., Maglev, 2016, 5.3) finds a few percent where a table is a hundred times as large as its members.
  assert.ok(moved.length < others.length / 20, `${moved.length} of ${others.length} moved`);
});
